# Many records in one blob: the data of tasks, or their results.
#
#   magic (8 bytes), kind (1), uid of the job (36), count (8)
#   count numbers each: task, status, seconds, size       doubles, little-endian
#   the records, one behind the other
#   MD5 digest of all that (16 bytes)
#
# The digest is looked at before anything else is believed.

pack_magic <- charToRaw("POOLPK1\n")
pack_kinds <- c(data = 1L, result = 2L)
pack_head <- 8L + 1L + 36L + 8L

# A result's status, as a number; 0: none yet.
result_statuses <- c("completed", "failed", "lost")

pack_numbers <- function(x) writeBin(as.double(x), raw(), endian = "little")

# data: a list of raw vectors; status: numbers.
pack_records <- function(uid, kind, task, data, status = 0, seconds = 0) {
  n <- length(task)
  bytes <- c(
    pack_magic, as.raw(pack_kinds[[kind]]), charToRaw(uid), pack_numbers(n),
    pack_numbers(c(task, rep_len(status, n), rep_len(seconds, n), lengths(data))),
    unlist(data, use.names = FALSE)
  )
  c(bytes, base64_decode(md5_text(bytes)))
}

# list(task, status, seconds, data); or a string: why it is none.
unpack_records <- function(bytes, uid, kind) {
  size <- length(bytes)
  if (size < pack_head + 16L || !identical(bytes[1:8], pack_magic)) {
    return("it is no pack")
  }
  if (!identical(base64_decode(md5_text(bytes[seq_len(size - 16L)])), bytes[size - 15:0])) {
    return("its digest is wrong")
  }
  if (bytes[9L] != pack_kinds[[kind]] || !identical(bytes[10:45], charToRaw(uid))) {
    return("it is one of another job or kind")
  }
  n <- readBin(bytes[46:53], "double", 1L, endian = "little")
  if (!is_whole(n) || n < 0 || n > (size - pack_head - 16) / 32) {
    return("its count is wrong")
  }
  numbers <- readBin(bytes[pack_head + seq_len(32 * n)], "double", 4 * n, endian = "little")
  at <- pack_head + 32 * n
  records <- split_numbers(numbers, n)
  sizes <- records$size
  records$data <- if (!anyNA(sizes)) .Call(C_cut, bytes, at, sizes)
  if (is.null(records$data) || anyNA(records$task) || at + sum(sizes) != size - 16 ||
    !all(records$status %in% 0:3) || is.unsorted(records$task, strictly = TRUE)) {
    return("its table is wrong")
  }
  records$size <- NULL
  records
}

split_numbers <- function(x, n) {
  column <- function(k) x[(k - 1) * n + seq_len(n)]
  list(task = column(1), status = column(2), seconds = column(3), size = column(4))
}

# ---- Sets of tasks as text ---------------------------------------------------

# "1-16,18" of ascending whole numbers.
ranges_text <- function(tasks) {
  if (!length(tasks)) {
    return("")
  }
  breaks <- which(diff(tasks) != 1)
  first <- tasks[c(1L, breaks + 1L)]
  last <- tasks[c(breaks, length(tasks))]
  one <- sprintf("%.0f", first)
  many <- first != last
  one[many] <- sprintf("%.0f-%.0f", first[many], last[many])
  paste(one, collapse = ",")
}

# The numbers, ascending, none above `most`; NULL where the text is no such set.
ranges_read <- function(text, most) {
  parts <- strsplit(text, ",", fixed = TRUE)[[1L]]
  if (!length(parts) || !all(grepl("^[1-9][0-9]{0,14}(-[1-9][0-9]{0,14})?$", parts))) {
    return(NULL)
  }
  first <- as.numeric(sub("-.*", "", parts))
  last <- as.numeric(sub(".*-", "", parts))
  ends <- as.vector(rbind(first, last))
  if (max(last) > most || is.unsorted(ends) || any(first[-1L] <= last[-length(last)])) {
    return(NULL)
  }
  if (length(parts) == 1L) {
    return(as.double(seq(first, last)))
  }
  as.double(sequence(last - first + 1, first))
}
