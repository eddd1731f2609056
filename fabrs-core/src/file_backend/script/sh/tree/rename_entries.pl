# Moves the received entries. Stdin has groups of records: the number of files, the entries, and the
# directory. Each record ends with NUL, and each group with an empty record. A `-` before the number
# means that the old entry is set aside first. The file `r` lists the old entries, for a script that
# restores them.
my ($w) = @ARGV;
my ($n, $k, $why) = (0, 0);
my @r;
open(my $notes, ">>", "r") or die;
$notes->autoflush(1);
# Copies an entry beside its target on another mount, and renames the copy.
sub copy_entry {
  my ($from, $to, $name, $aside) = @_;
  my ($new, $old) = ("$to$w.m", "$to$w.o");
  $why = "the copy failed";
  mkdir $new, 0700 or return 0;
  my $is = system("cp", "-pRP", "--", $from, "$new/") == 0;
  if ($is && $aside) { print $notes "$to$name\0$old\0"; $is = rename("$to$name", $old) }
  if ($is && !rename("$new/$name", "$to$name")) { $why = "$!"; $is = 0; rename($old, "$to$name") if $aside }
  system("rm", "-rf", "--", $new, $is ? $old : ());
  $is
}
# Renames an entry. Error 18 is EXDEV: the target is on another mount.
sub move_entry {
  my ($from, $to, $name, $aside) = @_;
  my $old = "o/" . ++$k;
  if ($aside) { mkdir "o", 0700; print $notes "$to$name\0$old\0"; rename("$to$name", $old) or $! == 18 && return copy_entry(@_) }
  rename($from, "$to$name") and return 1;
  $! == 18 && !$aside and return copy_entry(@_);
  $why = "$!";
  rename($old, "$to$name") if $aside;
  0
}
while (<STDIN>) {
  chomp;
  if (length) { push @r, $_; next }
  my ($c, $to) = (shift @r, pop @r);
  my $aside = $c =~ s/^-//;
  for (@r) {
    my ($name) = m,([^/]*)\z,;
    move_entry($_, $to, $name, $aside) or do {
      print "fabrs-moved $n\0" if $n;
      $to =~ s,^\.\./,,;
      die "$to$name: $why\n"
    }
  }
  $n += $c;
  @r = ()
}
