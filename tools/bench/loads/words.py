"""Counts the words of a file: an interpreter's many small allocations, and buffered reads."""

import collections
import json
import sys

words = collections.Counter()
with open(sys.argv[1], encoding="utf-8") as lines:
    for line in lines:
        words.update(line.split())

table = [{"word": word, "count": count} for word, count in words.most_common(20_000)]
text = json.dumps(table, indent=1)
print(sum(entry["count"] for entry in json.loads(text)))
for start in range(0, len(text), 4096):
    sys.stdout.write(text[start : start + 4096])
