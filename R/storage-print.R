# What endpoints look like, and how secrets are kept out of it. (Containers and queues
# have their own methods, on the same lines.)

hidden <- function(x) if (is.null(x)) "<none supplied>" else "<hidden>"

# A signature in a URL, wherever one was put into it.
hide_signature <- function(text) {
  gsub("(?i)([?&]?sig=)[^&[:space:]]*", "\\1<hidden>", text, perl = TRUE)
}

credential_lines <- function(x) {
  c(
    paste("Access key:", hidden(x$key)),
    paste("Azure Active Directory token:", hidden(x$token)),
    paste("Shared access signature:", hidden(x$sas)),
    paste("Storage API version:", x$api_version)
  )
}

service_name <- function(x) sub("_endpoint$", "", class(x)[[1L]])

#' @export
format.storage_endpoint <- function(x, ...) {
  paste0("<", service_name(x), " endpoint ", hide_signature(x$url), ">")
}

# Of the class that AzureStor has no such method for: neither replaces the other's.
#' @export
print.blob_endpoint <- function(x, ...) {
  cat(
    paste("Azure", service_name(x), "storage endpoint"),
    paste("URL:", hide_signature(x$url)), credential_lines(x),
    sep = "\n"
  )
  invisible(x)
}

#' @export
print.queue_endpoint <- print.blob_endpoint

#' @export
str.storage_endpoint <- function(object, ...) {
  cat(" ", format(object), "\n", sep = "")
}

#' @export
as.character.storage_endpoint <- function(x, ...) format(x)
