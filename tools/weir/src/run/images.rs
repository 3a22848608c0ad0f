//! The images that are watched, each by its number, and those of a process by its id: what is asked for each new image does
//! not take longer the more there are.

use std::collections::{BTreeMap, HashMap};

use super::image::Image;

/// The images, in the order in which they were found.
#[derive(Debug, Default)]
pub struct Images {
    all: BTreeMap<u64, Image>,
    /// The numbers of those of a process, by its id here.
    of_process: HashMap<u32, Vec<u64>>,
    /// How many there have been.
    numbered: u64,
}

impl Images {
    /// Another one; its number.
    pub fn add(&mut self, image: Image) -> u64 {
        let number = self.numbered;
        self.numbered += 1;
        self.put(number, image);
        number
    }

    /// The one that has had this number, again.
    pub fn put(&mut self, number: u64, image: Image) {
        self.of_process
            .entry(image.pid_here())
            .or_default()
            .push(number);
        self.all.insert(number, image);
    }

    /// The one with this number.
    pub fn get(&self, number: u64) -> Option<&Image> {
        self.all.get(&number)
    }

    /// How many are watched.
    pub fn count(&self) -> usize {
        self.all.len()
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Image> {
        self.all.values()
    }

    /// All of them, to be changed.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = &mut Image> {
        self.all.values_mut()
    }

    /// All of them with their numbers.
    pub fn numbered(&mut self) -> impl Iterator<Item = (u64, &mut Image)> {
        self.all.iter_mut().map(|(&number, image)| (number, image))
    }

    /// Those of the process with this id [here](Image::pid_here), with their numbers.
    pub fn of(&self, pid: u32) -> impl Iterator<Item = (u64, &Image)> {
        let numbers = self.of_process.get(&pid).into_iter().flatten();
        numbers.filter_map(|&number| Some((number, self.all.get(&number)?)))
    }

    /// Takes out the one with this number.
    pub fn take(&mut self, number: u64) -> Option<Image> {
        let image = self.all.remove(&number)?;
        if let Some(numbers) = self.of_process.get_mut(&image.pid_here()) {
            numbers.retain(|&other| other != number);
            if numbers.is_empty() {
                self.of_process.remove(&image.pid_here());
            }
        }
        Some(image)
    }

    /// Takes out all.
    pub fn take_all(&mut self) -> impl Iterator<Item = Image> + use<> {
        self.of_process.clear();
        std::mem::take(&mut self.all).into_values()
    }
}
