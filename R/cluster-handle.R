# A cluster as an object: where its job is. What a process has of it is in
# cluster-open.R.

# store, id: the job; name: as the user gave it. job: it, open, if this process has it.
new_cluster <- function(store, id, name, job = NULL) {
  handle <- new.env(parent = emptyenv())
  if (is_directory(store)) handle$store <- store
  handle$id <- id
  handle$name <- name
  handle$before <- 0 # all outputs up to this one were given by dequeue(),
  handle$beyond <- numeric() # and these
  if (!is.null(job)) new_entry(handle, job)
  structure(
    list(
      injob = structure(list(queue = handle, path = name), class = c("cluster_injob", "queue")),
      outjob = structure(list(queue = handle, path = name), class = c("cluster_outjob", "queue")),
      meta = meta_path(store, id), name = name
    ),
    class = "threadpool_cluster"
  )
}

is_directory <- function(store) inherits(store, "job_store_directory")

# An account is that of the session: no object has its key.
handle_store <- function(handle) handle$store %||% jobs_store()

check_cluster <- function(cl, argument = "cl") {
  if (missing(cl)) {
    stop_missing(argument)
  }
  if (!inherits(cl, "threadpool_cluster") || !is.environment(cl$injob$queue)) {
    stop_input(argument, cl, "'", argument, "' must be a cluster, as cluster_join() gives ",
      "it, not ", given(cl)
    )
  }
  cl
}

cluster_job <- function(cl) handle_job(check_cluster(cl)$injob$queue)

close_cluster <- function(cl) {
  job <- forget_entry(cl$injob$queue)
  if (!is.null(job)) job_close(job)
}

# Also one that is damaged.
delete_job <- function(cl) {
  handle <- cl$injob$queue
  job <- forget_entry(handle)
  if (is.null(job)) store_delete_job(handle_store(handle), handle$id) else job_delete(job)
  delete_meta(handle)
}

# ---- names ----

# A cluster's name is the path of its job's directory.
cluster_store <- function(path) store_directory(dirname(path))

# The cluster of that name. open: it has to be there, whole.
find_cluster <- function(name, open = TRUE) {
  path <- check_cluster_path(name, "name")
  if (dir.exists(path) || !matches("^[A-Za-z0-9_-]{1,64}$", name)) {
    if (!file.exists(path)) {
      stop_job_absent(name)
    }
    store <- cluster_store(path)
    id <- basename(path)
  } else {
    store <- jobs_store()
    id <- name
  }
  new_cluster(store, id, name, if (open) store_open_job(store, id))
}

check_cluster_path <- function(name, argument) {
  path <- check_path(name, argument)
  path <- normalizePath(path, mustWork = FALSE)
  if (!matches("^[^.]", basename(path)) || nchar(basename(path), "bytes") > 200L) {
    stop_input(argument, name, "'", argument, "' must be the path of a directory whose name ",
      "has at most 200 bytes and does not begin with a dot, not ", given(name)
    )
  }
  path
}

as_cluster <- function(name, open = TRUE) {
  if (missing(name)) {
    stop_missing("name")
  }
  if (inherits(name, "threadpool_cluster")) {
    return(check_cluster(name, "name"))
  }
  find_cluster(name, open)
}

# Where a new one of that name is to be: list(store, id, name).
named_place <- function(name, argument) {
  path <- check_cluster_path(name, argument)
  id <- basename(path)
  if (file.exists(path)) {
    is_job <- file.exists(file.path(path, "data.mdb"))
    if (is_job) stop_job_exists(id) else stop_place_taken(id, name)
  }
  if (!dir.exists(dirname(path))) {
    stop_job(paste0("cannot make '", name, "': there is no directory '", dirname(path), "'"), id)
  }
  list(store = cluster_store(path), id = id, name = name)
}

# Where jobs are. Its name is one that nobody has: of the time, the process, and what the
# system makes up, as R's random numbers are the user's.
made_up_place <- function() {
  id <- paste0(format(Sys.time(), "cluster-%Y%m%d-%H%M%S-"), basename(tempfile("")))
  store <- jobs_store()
  if (!is_directory(store)) {
    return(list(store = store, id = id, name = id))
  }
  dir.create(store$path, showWarnings = FALSE, recursive = TRUE, mode = "0700")
  store <- store_directory(store$path)
  list(store = store, id = id, name = file.path(store$path, id))
}

# ---- metadata ----

meta_path <- function(store, id) {
  if (is_directory(store)) file.path(store$path, paste0(id, ".meta.rds"))
}

# Whole or not at all, and nobody else's to read.
write_meta <- function(path, meta) {
  temporary <- tempfile(".meta-", dirname(path))
  mask <- Sys.umask("077")
  on.exit({
    Sys.umask(mask)
    unlink(temporary)
  })
  tryCatch(suppressWarnings(saveRDS(meta, temporary, compress = FALSE)), error = function(e) {
    stop_job(paste0("cannot write '", path, "'"), why = conditionMessage(e))
  })
  if (!suppressWarnings(file.rename(temporary, path))) {
    stop_job(paste0("cannot write '", path, "'"))
  }
}

# As the file has it now; as it was at first, where there is none.
read_meta <- function(store, id, otherwise) {
  path <- meta_path(store, id)
  if (is.null(path) || !file.exists(path)) {
    return(otherwise)
  }
  check_own_file(path)
  tryCatch(readRDS(path), error = function(e) {
    stop_job_corrupt(id, paste0("'", path, "' cannot be read: ", conditionMessage(e)))
  })
}

# Goes with its job, or handle of one; others have none.
delete_meta <- function(job) {
  path <- meta_path(job$store, job$id)
  if (!is.null(path)) unlink(path)
}

# What a process that joins runs tasks with: the metadata as it is now.
with_meta <- function(job, manifest) {
  if (identical(manifest$kind, "threadpool")) {
    manifest$args["meta"] <- list(read_meta(job$store, job$id, manifest$args$meta))
  }
  manifest
}

# To read an object is to trust who wrote it.
check_own_file <- function(path) {
  if (!identical(file.info(path)$uid, file.info(tempdir())$uid)) {
    stop_job(paste0("'", path, "' belongs to another user, and is not read"))
  }
}
