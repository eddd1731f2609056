# Sends one line to the admin socket of HAProxy and prints the response. Variables: socket, line.
# shellcheck shell=sh disable=SC2154
export LC_ALL=C
case $socket in "~/"*) socket=$HOME/${socket#"~/"} ;; esac
if [ ! -S "$socket" ]; then echo "no socket at $socket" >&2; exit 1; fi
if command -v socat > /dev/null; then
    printf '%s\n' "$line" | socat -t 10 - "UNIX-CONNECT:$socket"
elif command -v python3 > /dev/null; then
    python3 -c 'import socket, sys
s = socket.socket(socket.AF_UNIX)
s.settimeout(10)
s.connect(sys.argv[1])
s.sendall(sys.argv[2].encode() + b"\n")
while True:
    data = s.recv(65536)
    if not data: break
    sys.stdout.buffer.write(data)' "$socket" "$line"
elif command -v perl > /dev/null; then
    perl -MIO::Socket::UNIX -e 'alarm 10;
my $s = IO::Socket::UNIX->new(Type => SOCK_STREAM(), Peer => $ARGV[0]) or die "$ARGV[0]: $!\n";
print $s "$ARGV[1]\n"; $s->flush; print while <$s>;' "$socket" "$line"
else
    echo "socat, python3 and perl are missing" >&2; exit 1
fi
