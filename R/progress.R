# What a transfer shows of itself while it runs: files, bytes, rate, time left.

# AzureStor's option turns it off, too.
show_progress <- function() {
  isTRUE(getOption("pool.progress", interactive())) &&
    !isFALSE(getOption("azure_storage_progress_bar"))
}

# A list of functions: update(files_done, files, bytes_done, bytes) and end(). It is
# R's terminal that is written to, never within a callback of the engine.
progress_display <- function(transfers) {
  up <- transfers$verb[[1L]] == "upload"
  env <- environment()
  text <- if (up) "Uploading" else "Downloading"
  begin <- proc.time()[["elapsed"]]
  id <- cli::cli_progress_bar(
    total = NA, .envir = env, .auto_close = FALSE, clear = TRUE,
    format = "{cli::pb_extra$text}", extra = list(text = text)
  )
  list(
    update = function(files_done, files, bytes_done, bytes) {
      seconds <- proc.time()[["elapsed"]] - begin
      line <- progress_line(text, files_done, files, bytes_done, bytes, seconds)
      cli::cli_progress_update(id = id, extra = list(text = line), .envir = env)
    },
    end = function() cli::cli_progress_done(id = id, .envir = env)
  )
}

progress_line <- function(text, files_done, files, bytes_done, bytes, seconds) {
  rate <- if (seconds > 0) bytes_done / seconds else 0
  left <- bytes - bytes_done
  parts <- c(
    if (files > 1) sprintf("%.0f of %.0f files", files_done, files),
    paste(bytes_text(bytes_done), "of", bytes_text(bytes)),
    if (rate > 0) paste0(bytes_text(rate), "/s"),
    if (rate > 0 && left > 0) paste(time_text(left / rate), "left")
  )
  paste0(text, ": ", paste(parts, collapse = ", "))
}

bytes_text <- function(x) {
  if (is.na(x)) {
    return("?")
  }
  units <- c("B", "kB", "MB", "GB", "TB")
  k <- min(max(0, floor(log10(max(x, 1)) / 3)), 4)
  sprintf(if (k == 0) "%.0f %s" else "%.1f %s", x / 1000^k, units[k + 1])
}

time_text <- function(seconds) {
  if (seconds < 60) {
    sprintf("%.0f s", ceiling(seconds))
  } else if (seconds < 3600) {
    sprintf("%.0f min", ceiling(seconds / 60))
  } else {
    sprintf("%.1f h", seconds / 3600)
  }
}
