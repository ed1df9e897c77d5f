# PostgreSQL for the tests: a cluster of our own in a scratch folder, on a free
# loopback port, without durability, gone at the end. Sourced by .ci/run.
# shellcheck shell=bash

# postgres_owner prints the user who may run the server: initdb refuses root.
postgres_owner() {
	if [ "$(id -u)" -ne 0 ]; then
		id -un
	elif id -u postgres >/dev/null 2>&1; then
		echo postgres
	else
		echo nobody
	fi
}

# as_postgres COMMAND… runs it as that user, in a folder that user can read.
as_postgres() {
	local owner
	owner=$(postgres_owner)
	if [ "$(id -un)" = "$owner" ]; then
		(cd / && "$@")
	else
		(cd / && runuser -u "$owner" -- "$@")
	fi
}

# scratch_folder makes a folder that we and the server's user can reach.
scratch_folder() {
	local parent folder
	for parent in "${TMPDIR:-/tmp}" /tmp /var/tmp; do
		folder=$(mktemp -d "$parent/scimhub-ci.XXXXXX" 2>/dev/null) || continue
		chmod 755 "$folder"
		if as_postgres test -x "$folder"; then
			echo "$folder"
			return
		fi
		rmdir "$folder"
	done
	fail "no temporary folder that PostgreSQL can use" >&2
}

# postgres_bin prints the folder with the newest server found.
postgres_bin() {
	local found
	found=$(find /usr/lib/postgresql /usr/pgsql-* /usr/local/pgsql -maxdepth 3 -name initdb -path '*/bin/*' 2>/dev/null |
		sort -V | tail -1)
	[ -n "$found" ] || found=$(command -v initdb || true)
	[ -n "$found" ] || return 1
	dirname "$(readlink -f "$found")"
}

free_port() {
	local port
	for _ in {1..50}; do
		port=$((20000 + RANDOM % 12000))
		if ! (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then
			echo "$port"
			return
		fi
	done
	return 1
}

# postgres_start FOLDER URLFILE starts a cluster in FOLDER and writes its address to
# URLFILE; SCIMHUB_TEST_POSTGRES, where it is set, is taken instead.
postgres_start() {
	local folder=$1 file=$2 bin port settings=(
		fsync=off synchronous_commit=off full_page_writes=off
		max_connections=300 max_wal_size=2GB jit=off log_connections=on
	)
	[ ! -s "$file" ] || return 0
	if [ -n "${SCIMHUB_TEST_POSTGRES:-}" ]; then
		echo "$SCIMHUB_TEST_POSTGRES" >"$file"
		return
	fi
	postgres_bin >/dev/null || install_packages postgresql || fail "PostgreSQL is missing and could not be installed"
	bin=$(postgres_bin) || fail "PostgreSQL was installed, but initdb is nowhere to be found"

	mkdir -p "$folder"
	chown "$(postgres_owner)" "$folder"
	as_postgres "$bin/initdb" -D "$folder/data" -U postgres -A trust -E UTF8 --locale=C --no-sync >"$folder/initdb.log" 2>&1 ||
		{ cat "$folder/initdb.log"; fail "initdb failed"; }
	for _ in {1..5}; do # another process may take the port between the look and the start
		port=$(free_port) || fail "no free port for PostgreSQL"
		if as_postgres "$bin/pg_ctl" -D "$folder/data" -l "$folder/server.log" -s -w -t 60 \
			-o "-h 127.0.0.1 -p $port -k $folder ${settings[*]/#/-c }" start >/dev/null 2>&1; then
			echo "postgres://postgres@127.0.0.1:$port/postgres?sslmode=disable" >"$file"
			say "PostgreSQL $("$bin/postgres" --version | grep -oE '[0-9.]+' | head -1) on port $port"
			return
		fi
	done
	tail -20 "$folder/server.log"
	fail "PostgreSQL did not start"
}

# postgres_was_used FOLDER reports whether a client connected over the network. A
# server that somebody else runs cannot be asked: it counts as used.
postgres_was_used() {
	[ ! -f "$1/server.log" ] || grep -q 'connection authorized' "$1/server.log"
}

# postgres_stop FOLDER ends the server by its own process id, politely at first.
postgres_stop() {
	local pid signal
	[ -f "$1/data/postmaster.pid" ] || return 0
	pid=$(head -1 "$1/data/postmaster.pid")
	for signal in INT QUIT; do
		kill -s "$signal" "$pid" 2>/dev/null || return 0
		for _ in {1..50}; do
			kill -0 "$pid" 2>/dev/null || return 0
			sleep 0.1
		done
	done
	kill -KILL "$pid" 2>/dev/null || true
}
