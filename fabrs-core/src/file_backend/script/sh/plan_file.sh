# Compares a file with its target: the size, the content and the attributes.
printf '\0'
t=__TARGET__
n=__OWN_NAME__
case $t in */) t=$t$n ;; *) if [ -d "$t" ]; then t=$t/$n; fi ;; esac
__FOLLOW__
__CHECK_DIRECTORY__
[ -d "$t" ] && fail "${t}__IS_A_FOLDER__"
[ -f "$t" ] && [ "$(wc -c <"$t" 2>/dev/null)" -eq __SIZE__ ] || differs
same_content() {
  __CHECK_ATTRIBUTES__
  same
}
__COMPARE__
