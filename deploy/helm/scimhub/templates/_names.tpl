{{/* The name of everything that belongs to one release. */}}
{{- define "scimhub.name" -}}
{{- if contains .Chart.Name .Release.Name }}{{ .Release.Name | trunc 52 | trimSuffix "-" }}{{ else }}{{ printf "%s-%s" .Release.Name .Chart.Name | trunc 52 | trimSuffix "-" }}{{ end }}
{{- end }}

{{- define "scimhub.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "scimhub.labels" -}}
{{ include "scimhub.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end }}

{{- define "scimhub.account" -}}
{{- if .Values.serviceAccount.create }}{{ default (include "scimhub.name" .) .Values.serviceAccount.name }}{{ else }}{{ default "default" .Values.serviceAccount.name }}{{ end }}
{{- end }}

{{- define "scimhub.image" -}}
{{- if .Values.image.digest }}{{ .Values.image.repository }}@{{ .Values.image.digest }}{{ else }}{{ .Values.image.repository }}:{{ default .Chart.AppVersion .Values.image.tag }}{{ end }}
{{- end }}

{{/* hub.yaml, with the address that probes and the service know. */}}
{{- define "scimhub.config" -}}
{{- if hasPrefix "sqlite:" (toString .Values.config.database) }}{{ fail "config.database: replicas need a PostgreSQL that they share; SQLite is a file of one machine" }}{{ end }}
{{- toYaml (merge (dict "listen" "0.0.0.0:8080") .Values.config) }}
{{- end }}

{{- define "scimhub.security" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
capabilities: {drop: [ALL]}
seccompProfile: {type: RuntimeDefault}
{{- end }}

{{- define "scimhub.volumes" -}}
- name: config
  configMap: {name: {{ include "scimhub.name" . }}}
- name: tmp
  emptyDir: {medium: Memory, sizeLimit: 64Mi}
{{- range $i, $f := .Values.secrets.files }}
- name: secret-{{ $i }}
  secret: {secretName: {{ $f.secret }}, defaultMode: 0440}
{{- end }}
{{- end }}
