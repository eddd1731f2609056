# Requests $url until the response contains every argument, at most $attempts times.
# Variables: url, host, socket, attempts, pause.
# shellcheck shell=sh disable=SC2154
request() {
    if [ "$socket" ] || command -v curl > /dev/null; then
        curl --fail --silent --show-error --location --max-time 10 \
            ${host:+--header "Host: $host"} ${socket:+--unix-socket "$socket"} "$url"
    elif command -v wget > /dev/null; then
        wget -q -T 10 -O - ${host:+--header="Host: $host"} "$url"
    else
        python3 -c 'import sys, urllib.request as r
q = r.Request(sys.argv[1], headers={"Host": sys.argv[2]} if sys.argv[2] else {})
sys.stdout.buffer.write(r.urlopen(q, timeout=10).read())' "$url" "$host"
    fi
}
is_healthy() {
    answer=$(request 2>&1) || return
    for text; do
        case $answer in *"$text"*) ;; *) answer="the response does not contain \`$text\`"; return 1 ;; esac
    done
}
attempt=1
until is_healthy "$@"; do
    if [ "$attempt" -ge "$attempts" ]; then printf '%s\n' "$answer"; exit 1; fi
    attempt=$((attempt+1)); sleep "$pause"
done
