# What a user may choose about a loop that is a job: .options.azure.

loop_defaults <- function() {
  list(
    job = NULL, wait = TRUE, outputFiles = NULL,
    chunkSize = if (is.null(the$chunk_size)) 1 else the$chunk_size,
    maxTaskRetryCount = 3, timeout = 24 * 3600, autoDeleteJob = isTRUE(the$auto_delete),
    enableCloudCombine = TRUE, workers = NULL
  )
}

job_loop_options <- function(given) {
  wrong <- function(name, ...) {
    stop_input(".options.azure", NULL, "'", name, "' in '.options.azure' must be ", ...)
  }
  options <- loop_defaults()
  if (!is.null(given) && (!is.list(given) || length(given) && (is.null(names(given)) ||
    !all(nzchar(names(given))) || anyDuplicated(names(given))))) {
    stop_input(".options.azure", NULL, "'.options.azure' must be a list with names, not ",
      given_kind(given))
  }
  if (length(given)) {
    names(given)[names(given) == "chunksize"] <- "chunkSize"
  }
  unknown <- setdiff(names(given), names(options))
  if (length(unknown)) {
    stop_input(".options.azure", NULL, "'", unknown[[1L]], "' in '.options.azure' is no option: ",
      "there are ", paste(names(options), collapse = ", "))
  }
  options[names(given)] <- given
  for (name in c("wait", "autoDeleteJob", "enableCloudCombine")) {
    x <- options[[name]]
    if (!is.logical(x) || length(x) != 1L || is.na(x)) {
      wrong(name, "TRUE or FALSE, not ", given(x))
    }
  }
  least <- c(chunkSize = 1, maxTaskRetryCount = 0, workers = 1)
  for (name in names(least)) {
    x <- options[[name]]
    if (!(is.null(x) && name == "workers") && (!is.numeric(x) || length(x) != 1L || is.na(x) ||
      x < least[[name]] || x != trunc(x) || x > 1e9)) {
      wrong(name, "a whole number of at least ", least[[name]], ", not ", given(x))
    }
  }
  if (!is.null(options$workers)) {
    check_size(options$workers)
  }
  x <- options$timeout
  if (!is.numeric(x) || length(x) != 1L || is.na(x) || x <= 0) {
    wrong("timeout", "a number of seconds above 0, not ", given(x))
  }
  if (!is.null(options$job)) {
    check_job_id(options$job, ".options.azure", "'job' in '.options.azure'")
  }
  options
}

check_job_id <- function(id, argument = "jobId", what = paste0("'", argument, "'")) {
  if (missing(id)) {
    stop_missing(argument)
  }
  if (!is.character(id) || length(id) != 1L || is.na(id) ||
    !matches("^[A-Za-z0-9_-]{1,64}\\z", id)) {
    stop_input(argument, id, what, " must be the id of a job, 1 to 64 letters of A-Z, a-z, ",
      "digits, hyphens and underscores, not ", given(id))
  }
  as.vector(id)
}

max_tasks <- function() {
  check_number(getOption("pool.max_tasks", 2e5), "options(pool.max_tasks)", 1)
}

# f of the id that was given, or of one made from the time that nobody has.
with_new_id <- function(id, f) {
  if (!is.null(id)) {
    return(f(id))
  }
  base <- format(Sys.time(), "job%Y%m%d%H%M%S", tz = "UTC")
  k <- 1L
  repeat {
    id <- if (k == 1L) base else paste0(base, "-", k)
    job <- tryCatch(f(id), pool_job_exists_error = function(e) if (k > 99L) stop(e))
    if (!is.null(job)) {
      return(job)
    }
    k <- k + 1L
  }
}

# Of a variable that an expression names: jobs are stored in plain form.
refuse_secret <- function(name, value) {
  if (carries_secret(value)) {
    stop_input(name, NULL, "'", name, "', which the loop names, holds a key or a signature, ",
      "and these are not stored in jobs: make it in the loop")
  }
}
