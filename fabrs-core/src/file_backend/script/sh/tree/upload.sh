# Answers requests about a directory, and receives a tar stream. The stream is unpacked in a private
# temporary directory inside the target directory. Renames move the entries to their targets after
# the stream is complete.
umask 022
t=__ROOT__
w=.fabrs.__NAME__
in=
cleaned=
n=0
k=0
foreign() { xargs -0 sh -c __FOREIGN__ sh; }
__CHECK_OWNER__
[ -d "$t" ] || __MAKE_ROOT__ || exit 1
cd -P -- "$t" || exit 1
h=$(pwd -P; echo x)
h=${h%?x}
__SPARE__
clean() {
  trap '' HUP INT PIPE TERM
  [ -z "$cleaned" ] || return
  cleaned=1
  # If this fails, the next command removes nothing.
  # shellcheck disable=SC2164
  [ -z "$in" ] || { restore; [ ! -f c ] || . ./c; cd -P ..; }
  remove "$w"
  [ $n -eq 0 ] || printf 'fabrs-moved %s\0' $n
}
take() {
  trap 'clean; exit 1' HUP INT PIPE TERM
  trap clean EXIT
  sweep .
  (umask 077; mkdir -- "$w") && cd -- "$w" && in=1 && [ -O . ] && [ "$(pwd -P)" = "${h%/}/$w" ] && make_private || exit 1
  e=$(tar -x__TAR_OPTIONS__f - 2>&1) || {
    e=$(printf '%s\n' "$e" | head -n 1)
    e=${e#tar: }
    fail "${e#t/}"
  }
  [ -f z ] || fail 'the received file is incomplete'
  __VERIFY__
  __CHOWN__
  __FLUSH__
  rename_entries m
  . ./a
  __FLUSH__
  n=0
  printf 'fabrs-done\0'
  exit 0
}
command -v tar >/dev/null || no_tar=1
[ -w . ] || no_tar=1
printf '\0%s %s %s\0' "$(id -u)" "$(id -g)" "${no_tar:-0}"
__INITIAL__
read -r fabrs
while read -r verb count; do
  case $verb in
  stat) head -c "$count" | state ;;
  sums) head -c "$count" | sums ;;
  links) head -c "$count" | links ;;
  foreign) head -c "$count" | foreign ;;
  take) take ;;
  *) exit 1 ;;
  esac
  printf 'fabrs-end\0'
done
