#!/bin/sh
# Politeness, as a reward plugin in shell: 1 where the completion says please or thank, else 0.
# grpo writes "id" first, so that sed finds it without a JSON parser.
read -r hello
echo '{"grpo": 1, "name": "polite", "range": [0, 1], "reads": []}'
while read -r line; do
  id=$(printf %s "$line" | sed 's/^{"id":\([0-9]*\).*/\1/')
  completion=$(printf %s "$line" | sed 's/.*"completion":\(.*\),"completion_ids".*/\1/')
  case $completion in
    *[Pp]lease* | *[Tt]hank*) score=1 ;;
    *) score=0 ;;
  esac
  echo "{\"id\": $id, \"score\": $score}"
done
