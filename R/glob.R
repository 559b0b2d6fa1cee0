# Patterns of file names: *, **, ?, [a-c], [!abc], as Azure Batch has them.

# Whether anything in it is not itself.
is_pattern <- function(pattern) any(grepl("^([*?]|\\[.)", glob_tokens(pattern)))

# Which paths, relative ones with "/" between their parts, match.
matches_glob <- function(pattern, paths) {
  ok <- validEnc(paths)
  ok[ok] <- grepl(glob_regex(pattern), enc2utf8(paths[ok]), perl = TRUE)
  ok
}

# Runs of plain characters, and of stars (of two or more with a slash behind, at the
# beginning of a name); "?"; "[...]".
glob_tokens <- function(pattern) {
  rest <- sub("^([.]/+)+", "", enc2utf8(pattern))
  kinds <- c("^[*]{2,}/", "^[*]+", "^[?]", "^\\[[!^]?+[^\\]]+\\]|^\\[[!^]?+\\][^\\]]*\\]",
    "^\\[", "^[^*?\\[]+")
  tokens <- character()
  begins <- TRUE
  while (nzchar(rest)) {
    for (kind in if (begins) kinds else kinds[-1L]) {
      length <- attr(regexpr(kind, rest, perl = TRUE), "match.length")
      if (length > 0L) break
    }
    tokens <- c(tokens, substr(rest, 1L, length))
    begins <- substr(rest, length, length) == "/"
    rest <- substring(rest, length + 1L)
  }
  tokens
}

# A regular expression of PCRE. A dot at the beginning of a name is matched by a dot only.
glob_regex <- function(pattern) {
  parts <- vapply(glob_tokens(pattern), function(token) {
    any <- "(?!(?:(?<=/)|\\A)\\.)"
    if (grepl("^[*]{2,}/$", token)) {
      paste0("(?:(?:", any, "[\\s\\S])*/)?")
    } else if (grepl("^[*]{2,}$", token)) {
      paste0("(?:", any, "[\\s\\S])*")
    } else if (token == "*") {
      paste0("(?:", any, "[^/])*")
    } else if (token == "?") {
      paste0(any, "[^/]")
    } else if (grepl("^\\[.", token)) {
      paste0(any, "(?!/)", glob_class(substr(token, 2L, nchar(token) - 1L)))
    } else {
      gsub("([^[:alnum:]_])", "\\\\\\1", token)
    }
  }, "")
  paste0("\\A", paste(parts, collapse = ""), "\\z")
}

glob_class <- function(members) {
  not <- grepl("^[!^]", members)
  members <- gsub("([][\\\\^&])", "\\\\\\1", sub("^[!^]", "", members))
  paste0("[", if (not) "^", members, "]")
}
