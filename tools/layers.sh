#!/usr/bin/env bash
# Checks the layers of src/: every core file has a rank, includes no header of R
# and only those of our own headers that have a lower rank (or its own). The
# glue, r_*.[ch] and init.c, may include any of them. And in R no name is made twice.
set -euo pipefail

# The one table of ranks: a module is src/NAME.c with src/NAME.h.
ranks() {
  cat <<'TABLE'
1 buf clock crc32c cursor digest disk feed lecuyer lmdb_errno lmdb_format ring task_state
2 answer file io lap lmdb_check record retry sealed sign spin wire timer tmpdir xml
3 alive bell blob blob_list head lmdb_dir newfile shm proc
4 detach exchange job_file link lmdb_run newdir store
5 chan http lmdb_env
6 chan_read item large worker sched
7 download source template pool value
8 append job_items job_tables load pool_poll queue_tables upload
9 job_mend job_task queue transfer
10 job_claim
11 job
12 job_look job_work
TABLE
}

cd "$(dirname "$0")/.."

declare -A rank
while read -r level modules; do
  for module in $modules; do
    rank[$module]=$level
  done
done < <(ranks)

bad=0
complain() {
  printf '%s\n' "$1" >&2
  bad=$((bad + 1))
}

# The included names of one kind, as LINE:NAME; $1 the file, $2 and $3 the
# delimiters. The stand-alone words of a comment never begin with '#'.
includes() {
  sed -nE "/^[[:space:]]*#[[:space:]]*include[[:space:]]*$2/{=;s/^[^$2]*$2([^$3]*)$3.*/\1/p;}" "$1" |
    paste -d: - -
}

is_glue() {
  case $1 in
  r_* | init) return 0 ;;
  *) return 1 ;;
  esac
}

check_core() {
  local file=$1 module=$2 place header target
  while IFS=: read -r place header; do
    case $header in
    R.h | Rmath.h | Rdefines.h | Rinternals.h | Rversion.h | Rconfig.h | \
      Rembedded.h | Rinterface.h | S.h | R_ext/*)
      complain "$file:$place: a core file includes R's header <$header>"
      ;;
    esac
  done < <(includes "$file" '<' '>' && includes "$file" '"' '"')
  while IFS=: read -r place header; do
    target=${header%.h}
    if [[ $target == "$module" ]]; then
      continue
    elif is_glue "$target"; then
      complain "$file:$place: a core file includes the glue's \"$header\""
    elif [[ -z ${rank[$target]:-} ]]; then
      complain "$file:$place: \"$header\" has no rank: add it to $0"
    elif ((rank[$target] >= rank[$module])); then
      complain "$file:$place: rank ${rank[$module]} ($module) includes\
 \"$header\" of rank ${rank[$target]}: only lower ranks are allowed"
    fi
  done < <(includes "$file" '"' '"')
}

shopt -s nullglob
count=0
for file in src/*.c src/*.h; do
  count=$((count + 1))
  module=$(basename "$file")
  module=${module%.*}
  if is_glue "$module"; then
    continue
  elif [[ -z ${rank[$module]:-} ]]; then
    complain "$file: a core file without a rank: add it to $0"
  else
    check_core "$file" "$module"
  fi
done

if ((count == 0)); then
  complain "no C files in src/"
fi

# In R the last one of a name is the one, without a word.
while read -r name; do
  complain "R/: more than one $name"
done < <(sed -nE 's/^([A-Za-z.][A-Za-z0-9_.]*) <- .*/\1/p' R/*.R | sort | uniq -d)
exit $((bad > 0))
