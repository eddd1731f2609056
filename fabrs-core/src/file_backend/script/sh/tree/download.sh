# Lists a directory, answers requests, and sends files as a tar stream.
#
# A complete stream ends with `fabrs-end`. GNU tar ends with status 1 if a file changed during the
# read. A file that grew is sent in an earlier state, and the stream counts as complete. A file that
# shrank is padded with bytes that it never had, and the stream gets no end marker.
f=__PATH__
[ -e "$f" ] || fail "__NO_FILE__$f"
[ -d "$f" ] || fail "${f}__IS_NO_FOLDER__"
cd -- "$f" || exit 1
printf '\0'
__LIST_ALL__
printf 'fabrs-end\0'
read -r fabrs
while read -r verb count; do
  case $verb in
  sums) head -c "$count" | sums ;;
  links) head -c "$count" | links ;;
  give)
    { e=$(head -c "$count" | tr '\0' '\n' | LC_ALL=C tar -cf - -T - 2>&1 >&4); s=$?; } 4>&1
    case $s:$e in 0:*) printf fabrs-end ;; 1:*shrank*) ;; 1:*' we read it'*) printf fabrs-end ;; esac
    exit 0
    ;;
  *) exit 1 ;;
  esac
  printf 'fabrs-end\0'
done
