/* What LMDB returns, as the rest of the core has it. */
#include "lmdb_errno.h"

#include <lmdb.h>

int lmdb_errno(int code)
{
	switch (code) {
	case MDB_NOTFOUND:
		return -ENOENT;
	case MDB_KEYEXIST:
		return -EEXIST;
	case MDB_MAP_FULL:
		return LMDB_FULL;
	case MDB_PAGE_NOTFOUND:
	case MDB_CORRUPTED:
	case MDB_PAGE_FULL:
	case MDB_CURSOR_FULL:
		return -EBADMSG;
	case MDB_PANIC:
		return -EIO;
	case MDB_VERSION_MISMATCH:
		return -EPROTONOSUPPORT;
	case MDB_INVALID:
	case MDB_INCOMPATIBLE:
		return -EPROTO;
	case MDB_READERS_FULL:
		return -EUSERS;
	case MDB_TXN_FULL:
		return -EFBIG;
	default:
		return code > 0 ? -code : code == 0 ? 0 : -EINVAL;
	}
}
