/*
 * Receiving one blob: the first range tells its size and its version, the
 * others are asked for at once, of that version only. A file takes its place
 * when all of it is there.
 */
#ifndef POOL_DOWNLOAD_H
#define POOL_DOWNLOAD_H

#include "item.h"

/* Asks for the next part, if one is due; as upload_next(). */
int download_next(struct item *it);

#endif
