# Containers: named, made, deleted, listed.

#' Blob containers
#'
#' `storage_container()` names a container; the others make it, delete it, or list
#' those of an account. `blob_container()` and the like are the same functions by the
#' names that AzureStor has for them.
#'
#' @param endpoint A [storage_endpoint()]; the URL of a container, like
#'   `"https://ACCOUNT.blob.core.windows.net/CONTAINER"` (its query, if any, is taken
#'   as a shared access signature); or, but for the listing, a container.
#' @param name The container's name: 3 to 63 of `a` to `z`, digits and single hyphens.
#' @param key,token,sas,api_version Where `endpoint` is a URL: see [storage_endpoint()].
#' @param public_access Who may read without credentials: nobody, everybody who knows a
#'   blob's name, or everybody, and list it too.
#' @param confirm Whether to ask first. Only an interactive session asks.
#' @param lease The lease on the container, a string, where there is one.
#' @param x,object A container.
#' @param ... For `create_storage_container()`, further headers, by their names: `x-ms-...`.
#'   Otherwise nothing, or arguments of the aliased function.
#' @return `storage_container()` and `create_storage_container()`: a list of `name` and
#'   `endpoint`, of class `blob_container` and `storage_container`.
#'   `delete_storage_container()`: `NULL`, invisibly. `list_storage_containers()`: a
#'   named list of containers.
#' @section Errors: [storage_conditions]. To make a container that is there already is
#'   an error (status 409).
#' @source <https://learn.microsoft.com/rest/api/storageservices/operations-on-containers>
#' @examples
#' endp <- storage_endpoint("https://mystorage.blob.core.windows.net", key = "a2V5")
#' storage_container(endp, "docs")
#' \dontrun{
#' cont <- create_storage_container(endp, "docs")
#' list_storage_containers(endp)
#' delete_storage_container(cont)
#' }
#' @export
storage_container <- function(endpoint, name, key = NULL, token = NULL, sas = NULL,
                              api_version = endpoint_api_version(), ...) {
  check_no_dots(...)
  resolve_container(endpoint, if (!missing(name)) name, key, token, sas, api_version)
}

#' @rdname storage_container
#' @export
blob_container <- function(endpoint, ...) storage_container(endpoint, ...)

#' @rdname storage_container
#' @export
create_storage_container <- function(endpoint, name, key = NULL, token = NULL,
                                     sas = NULL, api_version = endpoint_api_version(),
                                     public_access = c("none", "blob", "container"),
                                     ...) {
  public_access <- check_choice(public_access, "public_access",
    c("none", "blob", "container"))
  container <- resolve_container(endpoint, if (!missing(name)) name, key, token, sas,
    api_version)
  headers <- container_headers(...)
  if (public_access != "none") {
    headers[["x-ms-blob-public-access"]] <- public_access
  }
  create_request(container, headers)
  container
}

container_headers <- function(...) {
  headers <- list(...)
  names <- names(headers) %||% rep("", length(headers))
  bad <- which(!matches("^[Xx]-[Mm][Ss]-", names))
  if (length(bad)) {
    name <- names[[bad[1L]]]
    argument <- if (nzchar(name)) name else "..."
    stop_input(argument, NULL, "'", argument, "' is neither an argument of this function ",
      "nor a header of the service, x-ms-...")
  }
  headers
}

# An answer that was lost and asked for again is: it is there already.
create_request <- function(container, headers) {
  url <- container_url(container, list())
  res <- request(container$endpoint, "PUT", url, headers)
  if (res$status >= 300L) {
    e <- http_condition(res, "PUT", url)
    if (!(e$code == "ContainerAlreadyExists" && isTRUE(res$attempts > 1L))) {
      stop(e)
    }
  }
}

#' @rdname storage_container
#' @export
create_blob_container <- function(endpoint, ...) create_storage_container(endpoint, ...)

#' @rdname storage_container
#' @export
delete_storage_container <- function(endpoint, name, key = NULL, token = NULL,
                                     sas = NULL, api_version = endpoint_api_version(),
                                     confirm = TRUE, lease = NULL, ...) {
  check_no_dots(...)
  container <- resolve_container(endpoint, if (!missing(name)) name, key, token, sas,
    api_version)
  if (confirmed(confirm, "container", container$name)) {
    delete_request(container$endpoint, container_url(container, list()),
      list(`x-ms-lease-id` = check_lease(lease)))
  }
  invisible(NULL)
}

#' @rdname storage_container
#' @export
delete_blob_container <- function(endpoint, ...) delete_storage_container(endpoint, ...)

#' @rdname storage_container
#' @export
list_storage_containers <- function(endpoint, key = NULL, token = NULL, sas = NULL,
                                    api_version = endpoint_api_version(), ...) {
  check_no_dots(...)
  if (missing(endpoint)) {
    stop_missing("endpoint")
  }
  if (is.character(endpoint)) {
    endpoint <- new_endpoint(endpoint, key, token, sas, api_version, "blob")
  } else {
    no_credentials(key, token, sas)
  }
  check_endpoint(endpoint, "endpoint", "blob")
  names <- list_named(endpoint, "./Containers/Container/Name")
  containers <- lapply(names, new_container, endpoint = endpoint)
  names(containers) <- names
  containers
}

#' @rdname storage_container
#' @export
list_blob_containers <- function(endpoint, ...) list_storage_containers(endpoint, ...)

new_container <- function(name, endpoint) {
  structure(
    list(name = name, endpoint = endpoint),
    class = c("blob_container", "storage_container")
  )
}

# All names that an account's listing has, page by page.
list_named <- function(endpoint, xpath) {
  names <- list()
  marker <- NULL
  repeat {
    url <- service_url(endpoint, "", list(comp = "list", marker = marker))
    doc <- read_xml_safely(request_ok(endpoint, "GET", url)$body)
    names[[length(names) + 1L]] <- xml2::xml_text(xml2::xml_find_all(doc, xpath))
    marker <- next_marker(marker, xml_marker(doc))
    if (is.null(marker)) {
      return(unlist(names))
    }
  }
}

# A service that gives the same page again would be asked for ever.
next_marker <- function(last, marker) {
  if (!is.null(marker) && identical(marker, last)) {
    stop_answer("the same page of a listing again")
  }
  marker
}

resolve_container <- function(endpoint, name, key, token, sas, api_version) {
  if (missing(endpoint)) {
    stop_missing("endpoint")
  }
  if (!is.character(endpoint)) {
    no_credentials(key, token, sas)
  }
  if (inherits(endpoint, "storage_container")) {
    if (!is.null(name)) {
      stop_input("name", NULL, "'name' cannot be given beside a container")
    }
    return(check_container(endpoint, "endpoint"))
  }
  if (is.character(endpoint)) {
    if (length(endpoint) == 1L && !is.na(endpoint) && !is_connection_string(endpoint)) {
      parts <- parse_storage_url(endpoint, "endpoint")
      if (nzchar(parts$blob)) {
        stop_input("endpoint", NULL, "'endpoint' must be the URL of a container; this ",
          "one names a blob")
      }
      if (nzchar(parts$container) && !is.null(name)) {
        stop_input("name", NULL, "'name' cannot be given beside the URL of a container")
      }
      name <- name %||% if (nzchar(parts$container)) parts$container
      endpoint <- parts$endpoint
      if (is.null(sas) && nzchar(parts$query)) {
        sas <- parts$query
      }
    }
    endpoint <- new_endpoint(endpoint, key, token, sas, api_version, NULL)
  }
  check_endpoint(endpoint, "endpoint", "blob")
  new_container(check_container_name(name), endpoint)
}

# They would be ignored.
no_credentials <- function(key, token, sas) {
  if (!is.null(key) || !is.null(token) || !is.null(sas)) {
    stop_input("endpoint", NULL, "credentials are the endpoint's; 'key', 'token' and ",
      "'sas' are for where 'endpoint' is a URL")
  }
}

check_container_name <- function(name, argument = "name", what = "container") {
  ok <- is.character(name) && length(name) == 1L && !is.na(name) &&
    (matches("^(?=.{3,63}\\z)[a-z0-9]+(-[a-z0-9]+)*\\z", name) ||
      name %in% c("$root", "$logs", "$web"))
  if (!ok) {
    # What is longer than a name can be may be a key in the wrong place.
    shown <- if (is.character(name) && length(name) == 1L && isTRUE(nchar(name, "bytes") < 65L)) {
      given(name)
    } else {
      given_kind(name)
    }
    stop_input(argument, NULL, "'", argument, "' must be the name of a ", what,
      ", 3 to 63 lower-case letters, digits and single hyphens, not ", shown
    )
  }
  unname(name)
}

check_container <- function(x, argument = "container") {
  if (missing(x)) {
    stop_missing(argument)
  }
  if (!is.list(x) || !inherits(x, "blob_container")) {
    stop_input(argument, NULL, "'", argument, "' must be a blob container, not ",
      given_kind(x)
    )
  }
  check_container_name(x$name, argument)
  check_endpoint(x$endpoint, argument, "blob")
  x
}

check_lease <- function(lease, argument = "lease") {
  if (is.null(lease)) NULL else check_secret(as.vector(lease), argument)
}

container_url <- function(container, options) {
  service_url(container$endpoint, escape(container$name, "$"),
    c(list(restype = "container"), options))
}

# An answer that was lost and asked for again is: it is gone. That is what was
# wanted.
delete_request <- function(endpoint, url, headers = list(), codes = NULL) {
  res <- request(endpoint, "DELETE", url, headers)
  if (res$status >= 300L && !(res$status == 404L && isTRUE(res$attempts > 1L))) {
    stop(http_condition(res, "DELETE", url))
  }
  invisible(NULL)
}

#' @rdname storage_container
#' @export
format.blob_container <- function(x, ...) {
  paste0("<blob container ", x$name, " at ", hide_signature(x$endpoint$url), ">")
}

# Of the class that AzureStor has no such method for, so that R does not say that one
# overwrote the other. Where AzureStor is loaded its method for blob_container comes
# first, and shows a token that is a string: ours then takes that one's place.
#' @export
print.storage_container <- function(x, ...) {
  cat(
    paste0("Azure blob container '", x$name, "'"),
    paste0("URL: ", sub("/+$", "", hide_signature(x$endpoint$url)), "/", x$name),
    credential_lines(x$endpoint),
    sep = "\n"
  )
  invisible(x)
}

register_print <- function(...) {
  registerS3method("print", "blob_container", print.storage_container, baseenv())
}

#' @rdname storage_container
#' @export
str.blob_container <- function(object, ...) {
  cat(" ", format(object), "\n", sep = "")
}

#' @export
as.character.blob_container <- function(x, ...) format(x)
