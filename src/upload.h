/*
 * Sending one block blob: in one request where it fits into a block, else in
 * blocks, any number at once, and a list of them that makes the blob.
 */
#ifndef POOL_UPLOAD_H
#define POOL_UPLOAD_H

#include "item.h"

/* Sends the next part, if one is due. 1: one is on the way; 0: there is none to
 * send for now, or the item has ended; -EAGAIN: a digest is being made, and
 * there is more of that to do. */
int upload_next(struct item *it);

#endif
