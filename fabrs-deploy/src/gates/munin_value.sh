# Prints the answer of a munin-node to `fetch`.
# Variables: plugin, address, port.
# shellcheck shell=sh disable=SC2154
export LC_ALL=C
perl -MIO::Socket::INET -e '
    my ($address, $port, $plugin) = @ARGV;
    my $node = IO::Socket::INET->new(PeerAddr => $address, PeerPort => $port, Timeout => 10)
        or do { print STDERR "could not connect to munin-node at $address:$port: $!\n"; exit 1 };
    alarm 30;
    print $node "fetch $plugin\nquit\n";
    print while <$node>;
' "$address" "$port" "$plugin"
