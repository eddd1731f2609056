# Requests a URL once. Prints the response, and then the status and the time in seconds.
# Variables: url, host, socket, limit.
# shellcheck shell=sh disable=SC2154
export LC_ALL=C
curl --globoff --silent --show-error --max-time "$limit" --write-out '\n%{http_code} %{time_total}' \
    ${host:+--header "Host: $host"} ${socket:+--unix-socket "$socket"} --url "$url"
