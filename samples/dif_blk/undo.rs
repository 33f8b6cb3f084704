// SPDX-License-Identifier: GPL-2.0

//! Going back to a moment: what a piece of the store had then is kept when it is changed for the first time after.

use crate::store::{Content, Store};
use kernel::{
    prelude::*,
    rbtree::{RBTree, RBTreeNodeReservation},
    sync::Arc,
};

/// What a piece had; `None` if nothing was stored there.
pub(crate) type Was = Option<Arc<Content>>;

/// Memory to keep one.
pub(crate) type Node = RBTreeNodeReservation<usize, Was>;

/// What pieces had that were changed since the moment, by their numbers.
/// The moment of a new one is when it is made.
#[derive(Default)]
pub(crate) struct Undo(RBTree<usize, Was>);

impl Undo {
    /// Bytes of data that are kept.
    pub(crate) fn bytes(&self) -> usize {
        let kept = self.0.values().filter(|was| was.is_some());
        kept.count() * Store::GRANULARITY as usize
    }

    /// Whether it is known what a piece had.
    pub(crate) fn has(&self, index: usize) -> bool {
        self.0.get(&index).is_some()
    }

    /// Keeps what a piece has, which is about to be changed.
    pub(crate) fn keep(&mut self, node: Node, index: usize, was: Was) {
        self.0.insert(node.into_node(index, was));
    }

    /// Likewise, and takes the memory for it. `ENOMEM`; may sleep.
    pub(crate) fn save(&mut self, store: &Store, index: usize) -> Result {
        if self.has(index) {
            return Ok(());
        }
        let (node, copy) = (Node::new(GFP_KERNEL)?, store.copy()?);
        self.keep(node, index, store.save(index, copy));
        Ok(())
    }

    /// The same moment, once more. `ENOMEM`. May sleep.
    pub(crate) fn try_clone(&self) -> Result<Self> {
        let mut clone = Self::default();
        for (index, was) in self.0.iter() {
            clone.keep(Node::new(GFP_KERNEL)?, *index, was.clone());
        }
        Ok(clone)
    }

    /// The numbers of the pieces that were changed.
    pub(crate) fn numbers(&self) -> impl Iterator<Item = usize> + '_ {
        self.0.keys().copied()
    }

    /// Puts back what a piece had. `ENOMEM`; once more does no harm.
    pub(crate) fn restore(&self, store: &Store) -> Result {
        self.0
            .iter()
            .try_for_each(|(index, was)| store.put(*index, was.as_deref()))
    }
}
