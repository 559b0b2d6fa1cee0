# Files of a job: what its tasks wrote, and what was logged.

#' @exportS3Method
job_put_file.job_account <- function(job, path, x) {
  job_put_files(job, list(list(path = path, data = x)))
}

#' @exportS3Method
job_put_files.job_account <- function(job, files) {
  s <- account_of_job(job)
  names <- vapply(files, function(file) account_file_name(s$id, file$path), "")
  contents <- lapply(files, function(file) {
    if (is.raw(file$data)) file$data else upload_source(file$data, "x")
  })
  account_put(s, names, contents, rep(list(c(uid = s$uid)), length(names)), once = FALSE)
  invisible(NULL)
}

#' @exportS3Method
job_get_file.job_account <- function(job, path) {
  s <- account_of_job(job)
  name <- account_file_name(s$id, path)
  account_get(s, name)[[1L]] %||% stop_job_absent(s$id, paste0("file '", path, "'"))
}

#' @exportS3Method
job_files.job_account <- function(job, prefix = "") {
  s <- account_of_job(job)
  check_text(prefix, "prefix", 1L)
  # The directories first: a job's own have as many blobs as it has tasks.
  top <- account_list(s, if (nzchar(prefix)) prefix, "Content-Length", recursive = FALSE)
  keep <- !account_is_own(s$id, top$Name)
  parts <- lapply(top$Name[keep & top$isdir], function(dir) {
    account_list(s, dir, "Content-Length")[c("Name", "Content-Length")]
  })
  files <- lapply(top[c("Name", "Content-Length")], `[`, keep & !top$isdir)
  parts <- c(parts, list(files))
  name <- unlist(lapply(parts, `[[`, "Name")) %||% character()
  size <- as.numeric(unlist(lapply(parts, `[[`, "Content-Length")))
  order <- order(name, method = "radix")
  data.frame(name = name[order], size = size[order], stringsAsFactors = FALSE)
}
