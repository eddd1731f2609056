# Sets the mode of the old file, or the default mode of a new file.
if [ -n "$old" ]; then chmod "$(stat -c %a -- "$o" 2>/dev/null || stat -f %Mp%Lp -- "$o")" f; else chmod __MODE__ f; fi
