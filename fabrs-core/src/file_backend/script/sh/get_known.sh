# Ends the script if the file has a known size and checksum.
if [ "$s" -eq __SIZE__ ] && [ "$(sum <"$f")" = __SUM__ ]; then
  printf 'fabrs-same \n'
  exit 0
fi
