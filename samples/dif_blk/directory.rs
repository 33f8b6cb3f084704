// SPDX-License-Identifier: GPL-2.0

//! Disks in configfs: a directory for each, whose files are its settings.
//!
//! A disk is there from when 1 is written to `power` until 0 is, or until the directory is removed. What it
//! stores goes with it.

use crate::{
    device::{self, Disk},
    settings::{self, Key, Settings, When, BOOLEAN, COUNT, SETTINGS},
};
use core::fmt::Write;
use kernel::{
    fmt, new_mutex,
    prelude::*,
    str::{BStr, CStr, CString},
    sync::{Arc, Mutex},
};
use storage::{
    configfs::{Attribute, Directory, Parent},
    debugfs::Dir,
};

/// `/sys/kernel/config/dif_blk`.
pub(crate) struct Root {
    debugfs: Dir,
    /// The name of the disk that module parameters made, if they did.
    taken: Option<&'static CStr>,
}

impl Root {
    /// Disks have their counters under `debugfs`. None gets the name that is `taken`.
    pub(crate) fn new(debugfs: Dir, taken: Option<&'static CStr>) -> Self {
        Self { debugfs, taken }
    }
}

impl Directory for Root {
    const ATTRIBUTES: &'static [Attribute<Self>] = &[Attribute {
        name: c"features",
        id: 0,
        show: features,
        store: None,
    }];
}

/// All that the directory of a disk has.
fn features(_: &Root, _: usize, out: &mut dyn Write) -> fmt::Result {
    for (n, attribute) in Device::ATTRIBUTES.iter().enumerate() {
        if n > 0 {
            out.write_str(",")?;
        }
        out.write_str(attribute.name.to_str().unwrap_or_default())?;
    }
    Ok(())
}

impl Parent for Root {
    type Child = Device;

    fn make(&self, name: &CStr) -> Result<impl PinInit<Device, Error>> {
        // As the name of a disk, with the NUL. C: DISK_NAME_LEN
        if !name.to_bytes().iter().all(u8::is_ascii_graphic) {
            pr_err!("{name}: the name of a disk has printable ASCII characters only\n");
            return Err(EINVAL);
        }
        if name.to_bytes_with_nul().len() > 32 {
            pr_err!("{name}: the name of a disk has at most 31 bytes\n");
            return Err(ENAMETOOLONG);
        }
        if self.taken == Some(name) {
            pr_err!("{name}: is the disk that nr_devices=1 made: another name, or nr_devices=0\n");
            return Err(EEXIST);
        }
        let settings = Arc::new(Settings::from_params()?, GFP_KERNEL)?;
        let name = CString::try_from_fmt(fmt!("{name}"))?;
        let debugfs = self.debugfs.clone();
        Ok(try_pin_init!(Device {
            name,
            settings,
            debugfs,
            disk <- new_mutex!(None),
        }? Error))
    }

    fn removed(&self, child: &Device) {
        let disk = child.disk.lock().take();
        // Without the lock: it waits for requests.
        drop(disk);
    }
}

/// The directory of a disk.
#[pin_data]
pub(crate) struct Device {
    name: CString,
    settings: Arc<Settings>,
    debugfs: Dir,
    /// The disk, if it is there.
    #[pin]
    disk: Mutex<Option<Disk>>,
}

/// Those of settings, but for `nr_devices`, which is the module's, and `power`.
const ATTRIBUTES: [Attribute<Device>; COUNT] = attributes();

const fn attributes() -> [Attribute<Device>; COUNT] {
    let mut attributes = [const {
        Attribute {
            name: c"power",
            id: 0,
            show: show_power,
            store: Some(set_power),
        }
    }; COUNT];
    let (mut id, mut place) = (0, 0);
    while id < COUNT {
        if id != Key::NrDevices as usize {
            attributes[place] = Attribute {
                name: SETTINGS[id].name,
                id,
                show: show_setting,
                store: Some(set_setting),
            };
            place += 1;
        }
        id += 1;
    }
    attributes
}

impl Directory for Device {
    const ATTRIBUTES: &'static [Attribute<Self>] = &ATTRIBUTES;
}

fn show_setting(device: &Device, row: usize, out: &mut dyn Write) -> fmt::Result {
    let allowed = SETTINGS
        .get(row)
        .map(|setting| setting.allowed)
        .ok_or(fmt::Error)?;
    out.write_fmt(fmt!("{}", allowed.show(device.settings.at(row))))
}

fn set_setting(device: &Device, row: usize, text: &BStr) -> Result {
    let setting = SETTINGS.get(row).ok_or(ENOENT)?;
    let disk = device.disk.lock();
    if disk.is_some() && setting.when == When::Made {
        let (name, of) = (&*device.name, setting.name);
        pr_err!("{name}: {of} can't change while power is 1\n");
        return Err(EBUSY);
    }
    device.settings.set(row, text, &device.name)
}

fn show_power(device: &Device, _: usize, out: &mut dyn Write) -> fmt::Result {
    out.write_str(if device.disk.lock().is_some() {
        "1"
    } else {
        "0"
    })
}

fn set_power(device: &Device, _: usize, text: &BStr) -> Result {
    let power = settings::given(BOOLEAN, "power", text, &device.name)?;
    let mut disk = device.disk.lock();
    match (power, disk.is_some()) {
        (1, false) => {
            *disk = Some(device::add(
                &device.name,
                device.settings.clone(),
                &device.debugfs,
            )?);
        }
        // Waits for requests; who asks meanwhile waits, too.
        (0, true) => drop(disk.take()),
        _ => {}
    }
    Ok(())
}
