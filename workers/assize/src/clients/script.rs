//! What every fake is made of: answers given in advance, and a record of what was asked.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Answers from a queue, and remembers the questions.
#[derive(Debug)]
pub struct Script<Question, Answer> {
    answers: Mutex<VecDeque<Answer>>,
    asked: Mutex<Vec<Question>>,
}

impl<Question, Answer> Script<Question, Answer> {
    /// Appends an answer for a question to come.
    pub fn push(&self, answer: Answer) {
        lock(&self.answers).push_back(answer);
    }

    /// Records `question` and takes the next answer; `None` when the queue is empty, so that the fake answers by itself.
    pub fn ask(&self, question: Question) -> Option<Answer> {
        lock(&self.asked).push(question);
        lock(&self.answers).pop_front()
    }

    /// How many questions were asked.
    pub fn count(&self) -> usize {
        lock(&self.asked).len()
    }
}

impl<Question: Clone, Answer> Script<Question, Answer> {
    /// The questions so far, in order.
    pub fn asked(&self) -> Vec<Question> {
        lock(&self.asked).clone()
    }
}

impl<Question, Answer> Default for Script<Question, Answer> {
    fn default() -> Self {
        Self {
            answers: Mutex::default(),
            asked: Mutex::default(),
        }
    }
}

/// Locks `mutex`, also when another thread panicked while it held it: the data of a fake is still worth reading.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
