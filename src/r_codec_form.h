/*
 * The compact form: an item is a tag, then what the tag says. Numbers are in
 * the machine's byte order.
 *
 *   NOTHING                          NULL
 *   VECTOR   type u8, n u64, data    numbers, logicals, raws
 *   STRINGS  n u64, n strings        length i32 (-1: NA), encoding u8, bytes
 *   LIST     n u64, n items
 *   SCALARS  type u8, n u64, data    a list of n vectors of length one, all of
 *                                    a type: the data, or the strings
 *   WITH_NAMES again u8, names, item the item has names: those of the last such
 *                                    item, or (again 0) n u64, n strings
 */
#ifndef POOL_R_CODEC_FORM_H
#define POOL_R_CODEC_FORM_H

enum codec_tag { NOTHING = 1, VECTOR, STRINGS, LIST, SCALARS, WITH_NAMES };

enum {
	CODEC_DEEPEST = 64, /* lists within lists: the C stack is finite */
	CODEC_BLOCK = 4096, /* bytes gathered before they are put */
};

#endif
