# Prints the SHA-256 of each MiB of a file.
open F, "<", $ARGV[0] or exit 1;
binmode F;
while (read F, $b, 1 << 20) { print sha256_hex($b), "\0" }
