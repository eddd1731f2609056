# Prints the metadata of the paths on stdin: mode, owner, group, size, time, device, number of hard
# links, path. GNU stat ends records with NUL. Other programs end records with a line break.
state() {
  if stat --printf '' . 2>/dev/null; then
    xargs -0 stat --printf 'x%f %u %g %s %Y %d %h %n\0'
  elif stat -c %f . >/dev/null 2>&1; then
    xargs -0 stat -c 'x%f %u %g %s %Y %d %h %n' | tr '\n' '\0'
  else
    xargs -0 stat -f 'o%p %u %g %z %m %d %l %N' | tr '\n' '\0'
  fi 2>/dev/null
}
