# What the kernel says of processes (Linux): memory, processor time, parents.

# The sum over processes of some fields of smaps_rollup, in megabytes; NA where
# one cannot be read.
smaps <- function(pids, pattern) {
  paths <- file.path("/proc", pids, "smaps_rollup")
  if (length(pids) == 0L || !all(file.exists(paths))) {
    return(NA_real_)
  }
  lines <- grep(pattern, unlist(lapply(paths, readLines)), value = TRUE)
  sum(as.numeric(gsub("[^0-9]", "", lines))) / 1024
}

# Megabytes that are the processes' own: neither shared with another nor clean.
private_dirty <- function(pids) smaps(pids, "^Private_Dirty:")

# The mappings of a process: the inode of what is mapped, whether that is memory
# which is shared by a descriptor or a name, and megabytes there are of it.
mappings <- function(pid) {
  lines <- readLines(file.path("/proc", pid, "smaps"))
  head <- grepl("^[0-9a-f]+-[0-9a-f]+ ", lines)
  fields <- strsplit(lines[head], " +")
  path <- vapply(fields, function(field) if (length(field) > 5L) field[6L] else "", "")
  megabytes <- function(pattern) {
    chosen <- grepl(pattern, lines)
    values <- as.numeric(gsub("[^0-9]", "", lines[chosen])) / 1024
    unname(vapply(split(values, cumsum(head)[chosen]), sum, 0))
  }
  data.frame(
    inode = vapply(fields, `[[`, "", 5L), shared = grepl(shared_path, path),
    resident = megabytes("^Rss:"), private = megabytes("^Private_(Clean|Dirty):")
  )
}
shared_path <- "^/(memfd:|dev/shm/|dev/zero)"

# Such memory that a process has open: inode and megabytes.
open_memory <- function(pid) {
  open <- list.files(file.path("/proc", pid, "fd"), full.names = TRUE)
  open <- open[grepl(shared_path, Sys.readlink(open))]
  if (length(open) == 0L) {
    return(NULL)
  }
  out <- system2("stat", c("-L", "-c", "'%i %b'", open), stdout = TRUE)
  fields <- strsplit(out, " ", fixed = TRUE)
  data.frame(
    inode = vapply(fields, `[[`, "", 1L),
    resident = as.numeric(vapply(fields, `[[`, "", 2L)) * 512 / 1024^2
  )
}

# Megabytes that nodes have for themselves, and those that they or their session
# share by a descriptor or a name, each piece once, mapped or only open.
memory_held <- function(pids, session = Sys.getpid()) {
  if (!file.exists("/proc/self/smaps")) {
    return(NA_real_)
  }
  mapped <- lapply(c(session, pids), mappings)
  own <- vapply(mapped[-1L], function(map) sum(map$private[!map$shared]), 0)
  by_inode <- lapply(mapped, function(map) {
    if (any(map$shared)) aggregate(resident ~ inode, map[map$shared, ], sum)
  })
  pieces <- do.call(rbind, c(by_inode, lapply(c(session, pids), open_memory)))
  sum(own) + if (is.null(pieces)) 0 else sum(tapply(pieces$resident, pieces$inode, max))
}

# Milliseconds that the processes, all their threads, have computed: the
# scheduler counts nanoseconds, where utime and stime of `stat` are of 10 ms.
computed <- function(pids) {
  paths <- unlist(lapply(file.path("/proc", pids, "task"), list.files, full.names = TRUE))
  paths <- file.path(paths, "schedstat")
  if (length(paths) < length(pids) || !all(file.exists(paths))) {
    return(NA_real_)
  }
  sum(as.numeric(sub(" .*", "", vapply(paths, readLines, "")))) / 1e6
}

parent_of <- function(pid) {
  status <- file.path("/proc", pid, "status")
  if (!file.exists(status)) {
    return(NULL)
  }
  line <- grep("^PPid:", readLines(status), value = TRUE)
  as.integer(sub("^PPid:\t", "", line))
}
