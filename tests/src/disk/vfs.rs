//! The shim between SQLite and the machine's files: every write and sync comes past a [`Disk`], which keeps a journal of
//! them and may refuse them. The only file of this crate with `unsafe`: SQLite asks for its files by C functions.
//!
//! It is registered as the default of the process, so that the store opens its databases as always. Files below no
//! disk's root go straight to the machine. Locks, shared memory and reads are the machine's own.

#![allow(unsafe_code)]

use std::ffi::{CStr, c_char, c_int, c_void};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Once};

use rusqlite::ffi;

use super::medium::{self, Disk};

const NAME: &CStr = c"branchline-faults";

/// What stands in SQLite's memory for one open file; the machine's own part lies behind it.
#[repr(C)]
struct File {
    base: ffi::sqlite3_file,
    watched: *mut Watched,
}

struct Watched {
    disk: Arc<Disk>,
    path: PathBuf,
    // SQLite syncs the folder of a journal with its first sync.
    names_journal: bool,
    synced: bool,
}

/// Makes the shim the default of this process.
pub(super) fn install() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // SAFETY: SQLite gives its default VFS, which lives as long as the process; ours is a copy of it with other
        // functions, leaked so that it lives as long. Registering happens once.
        unsafe {
            let machine = ffi::sqlite3_vfs_find(std::ptr::null());
            assert!(!machine.is_null(), "SQLite has no VFS");
            let mut ours = *machine;
            ours.szOsFile = (*machine).szOsFile + size_of::<File>() as c_int;
            ours.pNext = std::ptr::null_mut();
            ours.zName = NAME.as_ptr();
            ours.pAppData = machine.cast();
            ours.xOpen = Some(open);
            ours.xDelete = Some(delete);
            let code = ffi::sqlite3_vfs_register(Box::leak(Box::new(ours)), 1);
            assert_eq!(code, ffi::SQLITE_OK, "SQLite did not take the VFS");
        }
    });
}

unsafe extern "C" fn open(
    vfs: *mut ffi::sqlite3_vfs,
    name: ffi::sqlite3_filename,
    file: *mut ffi::sqlite3_file,
    flags: c_int,
    out: *mut c_int,
) -> c_int {
    // SAFETY: SQLite gives memory of `szOsFile` bytes, enough for ours and the machine's part; `pAppData` is the
    // machine's VFS; the name is null or ends in a zero byte.
    unsafe {
        let machine: *mut ffi::sqlite3_vfs = (*vfs).pAppData.cast();
        let ours: *mut File = file.cast();
        (*ours).base.pMethods = std::ptr::null();
        (*ours).watched = std::ptr::null_mut();
        let path = path_of(name);
        let is_new = path.as_deref().is_some_and(|path| !path.exists());
        let Some(opens) = (*machine).xOpen else { return ffi::SQLITE_CANTOPEN };
        let code = opens(machine, name, inner(file), flags, out);
        if code != ffi::SQLITE_OK {
            return code;
        }
        if let Some(path) = path
            && let Some(disk) = medium::of(&path)
        {
            if is_new && path.exists() {
                disk.created(&path);
            }
            // With its first sync the machine's part syncs the folder too, whoever made the file.
            let names_journal = flags & (ffi::SQLITE_OPEN_WAL | ffi::SQLITE_OPEN_MAIN_JOURNAL) != 0
                && flags & ffi::SQLITE_OPEN_CREATE != 0;
            (*ours).watched = Box::into_raw(Box::new(Watched { disk, path, names_journal, synced: false }));
        }
        (*ours).base.pMethods = &METHODS;
        ffi::SQLITE_OK
    }
}

unsafe extern "C" fn delete(vfs: *mut ffi::sqlite3_vfs, name: *const c_char, sync_folder: c_int) -> c_int {
    // SAFETY: as in `open`.
    unsafe {
        let machine: *mut ffi::sqlite3_vfs = (*vfs).pAppData.cast();
        let Some(deletes) = (*machine).xDelete else { return ffi::SQLITE_IOERR_DELETE };
        let path = path_of(name);
        let code = deletes(machine, name, sync_folder);
        if code == ffi::SQLITE_OK
            && let Some(path) = path
            && let Some(disk) = medium::of(&path)
        {
            disk.deleted(&path, sync_folder != 0);
        }
        code
    }
}

unsafe fn path_of(name: *const c_char) -> Option<PathBuf> {
    if name.is_null() {
        return None;
    }
    // SAFETY: the caller has a name of SQLite's, which ends in a zero byte.
    let text = unsafe { CStr::from_ptr(name) };
    text.to_str().ok().map(|text| Path::new(text).to_owned())
}

/// The machine's part of a file.
unsafe fn inner(file: *mut ffi::sqlite3_file) -> *mut ffi::sqlite3_file {
    // SAFETY: the memory behind ours belongs to it (see `open`), and is as aligned as ours is.
    unsafe { file.cast::<u8>().add(size_of::<File>()).cast() }
}

unsafe fn watched<'f>(file: *mut ffi::sqlite3_file) -> Option<&'f mut Watched> {
    // SAFETY: set in `open`, freed in `close`; SQLite uses one file from one thread at a time.
    unsafe { (*file.cast::<File>()).watched.as_mut() }
}

/// Calls a function of the machine's part.
macro_rules! machine {
    ($file:ident, $method:ident $(, $arg:expr)*) => {{
        // SAFETY: the machine's part was opened by `open` and has its functions.
        unsafe {
            let inner = inner($file);
            match (*(*inner).pMethods).$method {
                Some(method) => method(inner $(, $arg)*),
                None => ffi::SQLITE_NOTFOUND,
            }
        }
    }};
}

unsafe extern "C" fn close(file: *mut ffi::sqlite3_file) -> c_int {
    // SAFETY: made by `Box::into_raw` in `open`, and freed only here.
    unsafe {
        let ours: *mut File = file.cast();
        if !(*ours).watched.is_null() {
            drop(Box::from_raw((*ours).watched));
            (*ours).watched = std::ptr::null_mut();
        }
    }
    machine!(file, xClose)
}

unsafe extern "C" fn read(file: *mut ffi::sqlite3_file, to: *mut c_void, len: c_int, offset: i64) -> c_int {
    // SAFETY: see `watched`.
    if unsafe { watched(file) }.is_some_and(|w| !w.disk.may_read(&w.path)) {
        return ffi::SQLITE_IOERR_READ;
    }
    machine!(file, xRead, to, len, offset)
}

unsafe extern "C" fn write(file: *mut ffi::sqlite3_file, from: *const c_void, len: c_int, offset: i64) -> c_int {
    // SAFETY: see `watched`; SQLite gives `len` bytes.
    let (file_state, bytes) =
        unsafe { (watched(file), std::slice::from_raw_parts(from.cast::<u8>(), len.max(0) as usize)) };
    if let Some(w) = file_state {
        match w.disk.wrote(&w.path, offset as u64, bytes) {
            medium::Verdict::Done => {}
            medium::Verdict::Full => return ffi::SQLITE_FULL,
            medium::Verdict::Failed => return ffi::SQLITE_IOERR_WRITE,
        }
    }
    machine!(file, xWrite, from, len, offset)
}

unsafe extern "C" fn truncate(file: *mut ffi::sqlite3_file, size: i64) -> c_int {
    // SAFETY: see `watched`.
    if let Some(w) = unsafe { watched(file) } {
        w.disk.truncated(&w.path, size as u64);
    }
    machine!(file, xTruncate, size)
}

unsafe extern "C" fn sync(file: *mut ffi::sqlite3_file, flags: c_int) -> c_int {
    // SAFETY: see `watched`.
    if let Some(w) = unsafe { watched(file) } {
        if let medium::Verdict::Failed | medium::Verdict::Full = w.disk.synced(&w.path) {
            return ffi::SQLITE_IOERR_FSYNC;
        }
        if w.names_journal && !w.synced {
            w.synced = true;
            w.disk.folder_synced(w.path.parent().unwrap_or(&w.path));
        }
        if w.disk.is_in_memory() {
            return ffi::SQLITE_OK;
        }
    }
    machine!(file, xSync, flags)
}

unsafe extern "C" fn size(file: *mut ffi::sqlite3_file, size: *mut i64) -> c_int {
    machine!(file, xFileSize, size)
}

unsafe extern "C" fn lock(file: *mut ffi::sqlite3_file, level: c_int) -> c_int {
    machine!(file, xLock, level)
}

unsafe extern "C" fn unlock(file: *mut ffi::sqlite3_file, level: c_int) -> c_int {
    machine!(file, xUnlock, level)
}

unsafe extern "C" fn reserved(file: *mut ffi::sqlite3_file, out: *mut c_int) -> c_int {
    machine!(file, xCheckReservedLock, out)
}

unsafe extern "C" fn control(file: *mut ffi::sqlite3_file, op: c_int, arg: *mut c_void) -> c_int {
    machine!(file, xFileControl, op, arg)
}

unsafe extern "C" fn sector(file: *mut ffi::sqlite3_file) -> c_int {
    machine!(file, xSectorSize)
}

unsafe extern "C" fn characteristics(file: *mut ffi::sqlite3_file) -> c_int {
    machine!(file, xDeviceCharacteristics)
}

unsafe extern "C" fn shm_map(
    file: *mut ffi::sqlite3_file,
    page: c_int,
    size: c_int,
    extend: c_int,
    to: *mut *mut c_void,
) -> c_int {
    machine!(file, xShmMap, page, size, extend, to)
}

unsafe extern "C" fn shm_lock(file: *mut ffi::sqlite3_file, offset: c_int, n: c_int, flags: c_int) -> c_int {
    machine!(file, xShmLock, offset, n, flags)
}

unsafe extern "C" fn shm_barrier(file: *mut ffi::sqlite3_file) {
    // SAFETY: as in `machine!`.
    unsafe {
        let inner = inner(file);
        if let Some(barrier) = (*(*inner).pMethods).xShmBarrier {
            barrier(inner);
        }
    }
}

unsafe extern "C" fn shm_unmap(file: *mut ffi::sqlite3_file, delete: c_int) -> c_int {
    machine!(file, xShmUnmap, delete)
}

// Version 2: without memory mapping, so that every byte comes past here.
static METHODS: ffi::sqlite3_io_methods = ffi::sqlite3_io_methods {
    iVersion: 2,
    xClose: Some(close),
    xRead: Some(read),
    xWrite: Some(write),
    xTruncate: Some(truncate),
    xSync: Some(sync),
    xFileSize: Some(size),
    xLock: Some(lock),
    xUnlock: Some(unlock),
    xCheckReservedLock: Some(reserved),
    xFileControl: Some(control),
    xSectorSize: Some(sector),
    xDeviceCharacteristics: Some(characteristics),
    xShmMap: Some(shm_map),
    xShmLock: Some(shm_lock),
    xShmBarrier: Some(shm_barrier),
    xShmUnmap: Some(shm_unmap),
    xFetch: None,
    xUnfetch: None,
};
