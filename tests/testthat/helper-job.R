# A job store in memory, for tests of what stands on one; what it does is what
# R/job-store.R asks for. A job of a claimant that is "dead" (memory_die()) is taken
# back by the next claim.

memory_store <- function() {
  store <- new.env()
  store$jobs <- list()
  store$calls <- character() # what was asked of it
  class(store) <- "job_store_memory"
  store
}

memory_open <- function(store, id) {
  job <- new.env()
  job$id <- id
  job$store <- store
  job$me <- length(store$jobs[[id]]$alive) + 1L
  job$data <- store$jobs[[id]]
  job$data$alive[[job$me]] <- TRUE
  class(job) <- "job_memory"
  job
}

memory_die <- function(job) job$data$alive[[job$me]] <- FALSE

# fail: a function that is called before each operation, with its name.
memory_ask <- function(job, what) {
  job$store$calls <- c(job$store$calls, what)
  if (!is.null(job$store$fail)) job$store$fail(what)
  job$data
}

memory_over <- function(d, task, status, result, seconds) {
  if (is.na(d$status[[task]])) {
    d$status[[task]] <- status
    d$result[[task]] <- result
    d$seconds[[task]] <- seconds
  }
  d$by[[task]] <- 0L
}

memory_methods <- list(
  store_create_job = function(store, id, manifest, tasks) {
    if (!is.null(store$jobs[[id]])) pool:::stop_job_exists(id)
    d <- new.env()
    n <- length(tasks)
    d$manifest <- manifest
    d$tasks <- tasks
    d$by <- integer(n)
    d$tries <- integer(n)
    d$status <- rep(NA_character_, n)
    d$result <- vector("list", n)
    d$seconds <- rep(NA_real_, n)
    d$alive <- list()
    d$files <- list()
    d$terminated <- FALSE
    store$jobs[[id]] <- d
    memory_open(store, id)
  },
  store_open_job = function(store, id) {
    if (is.null(store$jobs[[id]])) pool:::stop_job_absent(id)
    memory_open(store, id)
  },
  store_job_ids = function(store) as.character(names(store$jobs)),
  job_manifest = function(job) memory_ask(job, "manifest")$manifest,
  job_add = function(job, tasks) {
    d <- memory_ask(job, "add")
    n <- length(d$tasks)
    k <- length(tasks)
    d$tasks <- c(d$tasks, tasks)
    d$by <- c(d$by, integer(k))
    d$tries <- c(d$tries, integer(k))
    d$status <- c(d$status, rep(NA_character_, k))
    d$result <- c(d$result, vector("list", k))
    d$seconds <- c(d$seconds, rep(NA_real_, k))
    as.numeric(n + seq_len(k))
  },
  job_claim = function(job, n) {
    d <- memory_ask(job, "claim")
    dead <- which(!unlist(d$alive))
    d$by[d$by %in% dead] <- 0L
    free <- if (d$terminated) integer() else which(d$by == 0L & is.na(d$status))
    free <- head(free, n)
    d$by[free] <- job$me
    list(task = as.numeric(free), data = d$tasks[free], tries = d$tries[free])
  },
  job_commit = function(job, done, claim = 0) {
    d <- memory_ask(job, "commit")
    for (i in seq_along(done$task)) {
      memory_over(d, done$task[[i]], done$status[[i]], done$result[[i]], done$seconds[[i]])
    }
    pool:::job_claim(job, claim)
  },
  job_charge = function(job, task, max_tries, result) {
    d <- memory_ask(job, "charge")
    d$tries[[task]] <- d$tries[[task]] + 1L
    d$by[[task]] <- 0L
    if (d$tries[[task]] < max_tries) {
      return("again")
    }
    memory_over(d, task, "lost", result, NA_real_)
    "lost"
  },
  job_release = function(job, task) {
    d <- memory_ask(job, "release")
    stopifnot(all(d$by[task] == job$me))
    d$by[task] <- 0L
  },
  job_renew = function(job) {
    memory_ask(job, "renew")
    if (is.null(job$store$lease)) Inf else job$store$lease
  },
  job_status = function(job) {
    d <- memory_ask(job, "status")
    open <- is.na(d$status)
    list(
      state = if (d$terminated) "terminated" else if (any(open)) "active" else "completed",
      tasks = length(open), queued = sum(open & d$by == 0L), running = sum(open & d$by > 0L),
      completed = sum(d$status %in% "completed"), failed = sum(d$status %in% "failed"),
      lost = sum(d$status %in% "lost")
    )
  },
  job_results = function(job, from, n) {
    d <- memory_ask(job, "results")
    k <- seq(from, length.out = n)
    k <- k[k <= length(d$status)]
    k <- k[!is.na(d$status[k])]
    list(task = k, status = d$status[k], result = d$result[k], seconds = d$seconds[k])
  },
  job_abandoned = function(job) {
    d <- memory_ask(job, "abandoned")
    which(d$by %in% which(!unlist(d$alive)))
  },
  job_terminate = function(job) {
    d <- memory_ask(job, "terminate")
    d$terminated <- TRUE
  },
  job_close = function(job) memory_die(job),
  job_put_file = function(job, path, x) {
    d <- memory_ask(job, "file")
    d$files[[path]] <- x
  },
  job_put_files = function(job, files) {
    memory_ask(job, "files")
    for (file in files) pool:::job_put_file(job, file$path, file$data)
  },
  job_get_file = function(job, path) job$data$files[[path]],
  job_files = function(job, prefix = "") {
    names <- sort(grep(paste0("^", prefix), names(job$data$files), value = TRUE))
    data.frame(name = names, size = lengths(job$data$files[names]))
  }
)

# (Variables here would be in the way of functions in all tests.)
invisible(lapply(names(memory_methods), function(name) {
  of <- if (startsWith(name, "store_")) "job_store_memory" else "job_memory"
  registerS3method(name, of, memory_methods[[name]], asNamespace("pool"))
}))

# A job of fun over tasks, in memory, by default.
local_job <- function(fun, tasks, ..., kind = "lapply", store = memory_store(), id = "j") {
  pool:::job_new(store, id, kind, at_top(fun), tasks = tasks, options = list(...))
}

job_values <- function(job, partial = FALSE) {
  pool:::job_result_list(job, partial)$values
}
