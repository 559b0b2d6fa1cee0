#!/usr/bin/env bash
# Does no page of the site load anything from elsewhere, and is all there that it
# loads or leads to?
#
#   tools/site-check.sh SITE_DIRECTORY
set -euo pipefail

cd "$1"
bad=0
complain() {
  printf '%s\n' "$1" >&2
  bad=$((bad + 1))
}

# Tags that make a browser load, but for links to other sites, which a reader follows.
loads='<(script|img|iframe|source|video|audio|embed|object|input)\b[^>]*\b(src|data|srcset)="(https?:)?//'
links='<link\b[^>]*\bhref="(https?:)?//'
styles='(url\([^)a-z]*|@import[^;a-z]*)(https?:)?//'
while IFS= read -r -d '' page; do
  if found=$(tr '\n' ' ' <"$page" | grep -oiE "${loads}[^\"]*\"|${links}[^\"]*\"|${styles}[^)\"']*"); then
    complain "$page loads from elsewhere: $(head -n 3 <<<"$found")"
  fi
done < <(find . -name '*.html' -print0)
while IFS= read -r -d '' sheet; do
  if found=$(grep -oiE "${styles}[^)\"']*" "$sheet"); then
    complain "$sheet loads from elsewhere: $(head -n 3 <<<"$found")"
  fi
done < <(find . -name '*.css' -print0)
# The usual hosts, wherever they stand in a page or a style sheet.
hosts='\b(cdnjs?|unpkg|jsdelivr|bootstrapcdn|googleapis|gstatic|cloudflare)\b[.a-z-]*\.(com|net|org)'
while IFS= read -r -d '' page; do
  complain "$page names a host of scripts: $(grep -oiE "$hosts" "$page" | head -n 1)"
done < <(grep -rlZiE "$hosts" --include='*.html' --include='*.css' . || true)

# Files of the site that pages name.
while IFS= read -r -d '' page; do
  dir=$(dirname "$page")
  while read -r target; do
    target=${target%%[#?]*}
    case $target in
    '' | *:* | //* | /*) continue ;;
    esac
    target=${target//%20/ }
    if [[ ! -e $dir/$target ]]; then
      complain "$page leads to $target, which is not there"
    fi
  done < <(tr '\n' ' ' <"$page" | grep -oE '\b(href|src)="[^"]*"' | sed -E 's/^[a-z]+="(.*)"$/\1/' | sort -u)
done < <(find . -name '*.html' -not -name 404.html -print0)

pages=$(find . -name '*.html' | wc -l)
if ((pages == 0)); then
  complain "there is no page"
fi
printf '%s pages, %s complaints\n' "$pages" "$bad"
exit $((bad > 0))
