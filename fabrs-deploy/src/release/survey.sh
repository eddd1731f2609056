# Prints the state of a site with releases, one fact a line. Arguments: the linked files.
# Variables: root, and the names of the files in the site and its releases.
# shellcheck shell=sh disable=SC2154
# Prints the revert of the host by itself. The watchdog process locks the file `watchdog`.
print_host_revert() {
    [ -f "$host_revert/release" ] || return 0
    line="host-revert $(cat "$host_revert/release")"
    if [ -f "$host_revert/result" ]; then printf '%s result %s\n' "$line" "$(tr '\n' ' ' < "$host_revert/result")"
    elif [ ! -f "$host_revert/run" ]; then :
    elif (flock -n 7) 7< "$host_revert/watchdog" 2> /dev/null; then echo "$line ended"
    elif [ -s "$host_revert/lost" ]; then
        read -r now _ < /proc/uptime
        left=$(($(cat "$host_revert/limit") + $(cat "$host_revert/lost") - ${now%.*}))
        if [ "$left" -lt 0 ]; then left=0; fi
        echo "$line pending $left"
    else echo "$line armed"; fi
}
print_missing_links() { for link; do [ -e "shared/$link" ] || printf 'missing %s\n' "$link"; done; }
print_file() { printf '%s %s %s\n' "$1" "$name" "$(tr '\n' ' ' < "$2")"; }

print_folder_identity
echo "root $root"
cd "$root" 2> /dev/null || { for link; do printf 'missing %s\n' "$link"; done; exit 0; }
if [ -L current ]; then printf 'current %s\n' "$(readlink current)"
elif [ -e current ]; then echo 'no-link current'; fi
for side in blue green; do
    if [ -L "$side" ]; then printf 'side %s %s\n' "$side" "$(readlink "$side")"; fi
done
if [ -f "$side_file" ]; then echo "live-side $(cat "$side_file")"; fi
if [ -e "$drained" ]; then echo "drained $drained"; fi
if [ -e "$manual_lock" ]; then printf 'manual-lock %s\n' "$(tr '\n' ' ' < "$manual_lock")"; fi
print_lock_holder
print_migration_log
print_host_revert
for release in releases/[0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9]; do
    [ -d "$release" ] || continue
    name=${release#releases/}
    printf 'release %s %s\n' "$name" "$(cat "$release/$manifest" 2> /dev/null | tr '\n' ' ')"
    if [ -f "$release/$unfinished" ]; then print_file unfinished "$release/$unfinished"; fi
    if [ -f "$release/$accepted" ]; then print_file accepted "$release/$accepted"; fi
    if [ -f "$release/$verified" ]; then echo "verified $name"; fi
    if [ -f "$release/$held" ]; then print_file held "$release/$held"; fi
    if [ -f "$release/$bad" ]; then print_file bad "$release/$bad"; fi
done
print_missing_links "$@"
