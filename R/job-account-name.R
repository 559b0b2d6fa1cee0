# The container and the queue of a job, which have the same name. A name there is 3 to
# 63 of a-z, 0-9 and single hyphens, a job's id is 1 to 64 of A-Z, a-z, 0-9, _ and -.
#
# An id that is such a name, and does not begin with "pool-", is the name. Any other
# id becomes "pool-", what of it can stand in a name, and its MD5 digest:
# "My_Job" is "pool-my-job-a6a4eb0a8f3c0ad5ffff47372726339e". The container's metadata
# have the id itself, so whose it is never has to be guessed from the digest.

account_escape <- "pool-"

account_name_of <- function(id) {
  if (!is.character(id) || length(id) != 1L || !matches("^[A-Za-z0-9_-]{1,64}\\z", id)) {
    stop_input("id", id, "'id' must be a job's id, 1 to 64 letters, digits, '_' and '-', not ",
      given(id))
  }
  if (grepl("^(?=.{3,63}$)[a-z0-9]+(-[a-z0-9]+)*$", id, perl = TRUE) &&
    !startsWith(id, account_escape)) {
    return(id)
  }
  readable <- gsub("[^a-z0-9]+", "-", tolower(id))
  readable <- gsub("^-|-$", "", substr(gsub("^-", "", readable), 1L, 24L))
  if (!nzchar(readable)) {
    readable <- "job"
  }
  digest <- paste(as.character(base64_decode(md5_text(id))), collapse = "")
  paste0(account_escape, readable, "-", digest)
}

# ---- Names of blobs ----------------------------------------------------------

account_manifest_name <- function(id) paste0(id, ".rds")
account_metadata_name <- function(id) paste0(id, "-metadata")
account_result_name <- function(task) sprintf("results/%.0f-result.rds", task)
account_head_name <- function(first) sprintf("tasks/%010.0f", first)
account_part_name <- function(of, k) paste0("data/", of, "-", k)
account_end_name <- "tasks/terminated"
tasks_prefix <- "tasks/"
results_prefix <- "results/"

# The same tasks make the same name: of two such packs the second is not written.
account_pack_name <- function(uid, tasks) {
  set <- base64_decode(md5_text(paste(uid, ranges_text(tasks))))
  sprintf("results/%010.0f-%010.0f-%s.pack", tasks[1L], tasks[length(tasks)],
    paste(as.character(set[1:8]), collapse = ""))
}

# A file's name in a job: what a user may choose, and not what a job is made of.
account_file_name <- function(id, path) {
  path <- check_text(path, "path", 1L)
  parts <- strsplit(path, "/", fixed = TRUE)[[1L]]
  if (!nzchar(path) || nchar(path) > 900L || grepl("[[:cntrl:]\\\\]", path) ||
    grepl("/$", path) || !all(nzchar(parts)) || any(parts %in% c(".", ".."))) {
    stop_input("path", path, "'path' must be a relative name of a file in the job, like ",
      "\"stdout/3.txt\", not ", given(path))
  }
  if (account_is_own(id, path)) {
    stop_input("path", path, "'path' is a name that the job itself has: ", given(path))
  }
  path
}

account_is_own <- function(id, path) {
  grepl("^(results|tasks|data)(/|$)", path) |
    path %in% c(account_manifest_name(id), account_metadata_name(id))
}
