# Installs the R packages that the named needs ask for into one library, and
# nothing that is already there. Called through tools/deps.sh.
#
#   Rscript tools/deps.R LIBRARY NEED...
#
# The repository is the one R is configured with: getOption("repos").
# A need's packages are required, except those of `optional`: one of these that
# cannot be installed is reported and skipped.

needs <- list(
  package = character(), # only what DESCRIPTION imports
  test = c(
    "testthat", "R6", "callr", "withr", "httr", "AzureStor", "progressr", "future", "pbapply"
  ),
  demo = character(), # but for Azurite
  doc = c("roxygen2", "future"), # which pages link to
  check = c("knitr", "rmarkdown"),
  lint = "lintr",
  site = c("pkgdown", "knitr", "rmarkdown", "progressr", "evaluate"),
  format = character(),
  valgrind = character(),
  bench = character()
)
optional <- list(
  test = c("data.table", "doParallel", "doRNG", "later", "rjson", "future.apply", "future.tests",
    "ff"),
  bench = c("callr", "mirai", "future.apply", "clustermq", "shard", "AzureStor")
)
# Versions that packages need of others without saying so: downlit, of pkgdown's.
least_known <- c(evaluate = "1.0")
hard <- c("Depends", "Imports", "LinkingTo")
r_number <- getRversion()

# "a (>= 1.2), b" -> a data frame of name and the least version ("0.0": any).
parse_fields <- function(text) {
  text <- trimws(unlist(strsplit(text[!is.na(text)], ",", fixed = TRUE)))
  text <- text[nzchar(text)]
  name <- sub("[[:space:]]*[(].*", "", text)
  least <- ifelse(
    grepl(">=", text, fixed = TRUE),
    gsub(".*>=[[:space:]]*|[)].*", "", text),
    "0.0"
  )
  keep <- name != "R"
  data.frame(name = name[keep], least = trimws(least[keep]))
}

# What DESCRIPTION itself asks for: its imports always, what it suggests only
# for the check.
own_fields <- function(which) {
  if (!file.exists("DESCRIPTION")) {
    return(character())
  }
  parse_fields(read.dcf("DESCRIPTION", which)[1L, ])$name
}

least_of <- function(names) {
  least <- unname(least_known[names])
  ifelse(is.na(least), "0.0", least)
}

# Names of installed packages, without those of `asked` that are too old.
installed_names <- function(asked) {
  installed <- utils::installed.packages(noCache = TRUE)
  installed <- installed[!duplicated(installed[, "Package"]), "Version"]
  old <- package_version(installed) < package_version(least_of(names(installed)))
  names(installed)[!(old & names(installed) %in% asked)]
}

# The packages to install so that `wanted` can be loaded: those missing, and
# those too old for something that is about to be installed, which
# install.packages() by itself does not look at.
resolve <- function(wanted, available) {
  all_installed <- utils::installed.packages(noCache = TRUE)
  all_installed <- all_installed[!duplicated(all_installed[, "Package"]), ,
    drop = FALSE
  ]
  version <- all_installed[, "Version"]
  base <- rownames(all_installed)[all_installed[, "Priority"] %in% "base"]
  todo <- data.frame(name = wanted, least = least_of(wanted))
  install <- unobtainable <- character()
  while (nrow(todo) > 0L) {
    name <- todo$name[1L]
    least <- todo$least[1L]
    todo <- todo[-1L, ]
    have <- name %in% base || (name %in% names(version) &&
      package_version(version[[name]]) >= package_version(least))
    if (have || name %in% c(install, unobtainable)) {
      next
    }
    if (!name %in% rownames(available) ||
          package_version(available[name, "Version"]) <
            package_version(least)) {
      unobtainable <- c(unobtainable, name)
      next
    }
    install <- c(install, name)
    todo <- rbind(todo, parse_fields(available[name, hard]))
  }
  list(install = install, unobtainable = unobtainable)
}

show_logs <- function(dir, packages) {
  for (log in file.path(dir, paste0(packages, ".out"))) {
    if (file.exists(log)) {
      message("--- ", sub("[.]out$", "", basename(log)))
      message(paste(utils::tail(readLines(log, warn = FALSE), 30L),
        collapse = "\n"))
    }
  }
}

# Tries to load each package in a fresh process, so that a package which was
# installed but does not load counts as missing.
missing_from <- function(packages) {
  ok <- vapply(packages, function(p) {
    code <- sprintf("loadNamespace(\"%s\")", p)
    status <- system2(file.path(R.home("bin"), "Rscript"),
      c("--no-init-file", "-e", shQuote(code)),
      stdout = FALSE, stderr = FALSE
    )
    status == 0L
  }, NA)
  packages[!ok]
}

install_into <- function(lib, packages, available) {
  logs <- tempfile("logs-")
  dir.create(logs)
  message(
    "Installing ", length(packages), " R package(s) into ", lib, ": ",
    paste(packages, collapse = " ")
  )
  cores <- parallel::detectCores()
  utils::install.packages(packages,
    lib = lib, available = available, dependencies = FALSE, type = "source",
    Ncpus = if (is.na(cores)) 1L else cores, quiet = TRUE,
    keep_outputs = logs, INSTALL_opts = "--no-multiarch"
  )
  logs
}

main <- function(args) {
  lib <- args[1L]
  asked <- args[-1L]
  unknown <- setdiff(asked, names(needs))
  if (length(unknown)) {
    stop("no such need: ", paste(unknown, collapse = ", "), call. = FALSE)
  }
  dir.create(lib, recursive = TRUE, showWarnings = FALSE)
  .libPaths(c(normalizePath(lib), .libPaths()))
  must <- unique(c(
    own_fields(c("Depends", "Imports", "LinkingTo")),
    if ("check" %in% asked) own_fields("Suggests"),
    unlist(needs[asked], use.names = FALSE)
  ))
  may <- setdiff(unlist(optional[asked], use.names = FALSE), must)
  here <- installed_names(c(must, may))
  if (all(c(must, may) %in% here)) {
    return(invisible())
  }

  repos <- getOption("repos")
  if (any(repos == "@CRAN@") || !length(repos)) {
    stop("R has no package repository configured; set options(repos = ) ",
      "in your Rprofile or Rprofile.site",
      call. = FALSE
    )
  }
  # Optional packages may only be late, never in the way of the required.
  options(timeout = 600L)
  available <- utils::available.packages()
  plan <- resolve(must, available)
  logs <- if (length(plan$install)) {
    install_into(lib, plan$install, available)
  }
  lost <- missing_from(setdiff(must, here))
  if (length(lost)) {
    show_logs(logs, setdiff(plan$install, .packages(all.available = TRUE)))
    if (length(plan$unobtainable)) {
      message("not in the repository, in the version that is needed: ",
        paste(plan$unobtainable, collapse = ", "))
    }
    stop("could not install: ", paste(lost, collapse = ", "), call. = FALSE)
  }
  for (package in setdiff(may, here)) {
    plan <- resolve(package, available)
    if (length(plan$install) && !length(plan$unobtainable)) {
      suppressWarnings(install_into(lib, plan$install, available))
    }
    if (length(missing_from(package))) {
      message("Skipped, it does not install here: ", package)
    }
  }
}

main(commandArgs(trailingOnly = TRUE))
