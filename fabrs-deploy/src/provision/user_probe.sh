# Prints the differences of a user.
#
# Arguments: NAME KIND HOME SHELL GROUP... An empty HOME or SHELL is not compared.
name=$1 kind=$2 home=$3 shell=$4
shift 4
entry=$(getent passwd "$name") || {
    echo missing
    exit 0
}
current_shell=${entry##*:}
entry=${entry%:*}
current_home=${entry##*:}
if [ -n "$home" ] && [ "$home" != "$current_home" ]; then
    printf 'home: %s -> %s\n' "$current_home" "$home"
elif [ -n "$home" ] || [ "$kind" = login ]; then
    [ -d "$current_home" ] || printf 'home: %s is missing\n' "$current_home"
fi
[ -z "$shell" ] || [ "$shell" = "$current_shell" ] || printf 'shell: %s -> %s\n' "$current_shell" "$shell"
groups=" $(id -Gn "$name") "
for group; do
    case $groups in
        *" $group "*) ;;
        *) printf 'group: %s\n' "$group" ;;
    esac
done
