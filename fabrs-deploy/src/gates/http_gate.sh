# Requests a URL once, and prints the status, the time in seconds, and the response.
# Variables: url, host, socket, limit.
# shellcheck shell=sh disable=SC2154
curl --silent --show-error --max-time "$limit" --write-out '\n%{http_code} %{time_total}' \
    ${host:+--header "Host: $host"} ${socket:+--unix-socket "$socket"} "$url"
