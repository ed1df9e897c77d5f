# What the gate's scripts share: words for people and packages that may be missing.
# Sourced by .ci/run and by each check in .ci/deploy.
# shellcheck shell=bash

say()  { printf '%s\n' "$*"; }
fail() { printf 'error: %s\n' "$*"; return 1; }

# need_command NAME PACKAGE… installs the packages if the command is missing.
need_command() {
	local name=$1
	shift
	if ! command -v "$name" >/dev/null; then
		install_packages "$@" || fail "$name is missing and could not be installed"
	fi
}

# install_packages PACKAGE… through apt, as root or through sudo without a password,
# one caller at a time: steps run beside each other, and apt takes only one.
install_packages() {
	local sudo=()
	if [ "$(id -u)" -ne 0 ]; then
		command -v sudo >/dev/null || return 1
		sudo=(sudo -n)
	fi
	command -v apt-get >/dev/null || return 1
	say "installing $*"
	(
		! command -v flock >/dev/null || flock 9
		"${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq update >/dev/null &&
			"${sudo[@]}" env DEBIAN_FRONTEND=noninteractive \
				apt-get -qq install -y --no-install-recommends "$@" >/dev/null
	) 9>"${TMPDIR:-/tmp}/scimhub-ci-apt.$(id -u).lock"
}
