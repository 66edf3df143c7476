//! Pages of one browser, kept ready between uses and replaced in time, and the browser itself.
//!
//! Both browsers are run this way. A page serves some uses, a browser some more; after a crash either is replaced at
//! once. A browser that is replaced lives on for as long as somebody still works on one of its pages.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Semaphore, SemaphorePermit};

use super::cdp::CdpError;
use super::{Browser, Launch, LaunchError};

/// When pages and browsers are replaced.
#[derive(Debug, Clone, Copy)]
pub struct PoolLimits {
    /// Pages in use at the same time, at least 1.
    pub pages: usize,
    /// Uses of a page.
    pub uses_a_page: u32,
    /// Uses of a browser, at least 1.
    pub uses_a_browser: u64,
    /// Longest a fresh page may take to open.
    pub open_timeout: Duration,
}

/// Why no page was opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// No browser.
    #[error(transparent)]
    Launch(#[from] LaunchError),
    /// The browser broke.
    #[error(transparent)]
    Browser(#[from] CdpError),
    /// It took too long.
    #[error("a page did not open within {} s", .0.as_secs())]
    TooSlow(Duration),
}

/// A page of the pool, in somebody's hands.
#[derive(Debug)]
pub struct Lent<Page> {
    /// The page.
    pub page: Page,
    /// The number of the browser it belongs to, counted from 1.
    generation: u64,
    uses: u32,
}

/// The pages and their browser.
#[derive(Debug)]
pub struct Pool<Page> {
    limits: PoolLimits,
    launch: Launch,
    places: Semaphore,
    idle: Mutex<Vec<Lent<Page>>>,
    browser: tokio::sync::Mutex<Option<Arc<Browser>>>,
    uses: AtomicU64,
    starts: AtomicU64,
}

impl<Page> Pool<Page> {
    /// A pool without a browser; the first page starts one.
    pub fn new(limits: PoolLimits, launch: Launch) -> Self {
        Self {
            places: Semaphore::new(limits.pages.max(1)),
            idle: Mutex::default(),
            browser: tokio::sync::Mutex::default(),
            uses: AtomicU64::new(0),
            starts: AtomicU64::new(0),
            limits,
            launch,
        }
    }

    /// Waits for a place. Whoever holds one may have one page.
    ///
    /// # Errors
    ///
    /// [`CdpError::Closed`] once the pool is closed.
    pub async fn enter(&self) -> Result<SemaphorePermit<'_>, CdpError> {
        self.places.acquire().await.map_err(|_| CdpError::Closed)
    }

    /// Waits until nobody else has a place, and for as long as the permit is held nobody gets one.
    ///
    /// # Errors
    ///
    /// [`CdpError::Closed`] once the pool is closed.
    pub async fn enter_alone(&self) -> Result<SemaphorePermit<'_>, CdpError> {
        let all = self.limits.pages.max(1) as u32;
        let places = self.places.acquire_many(all).await;
        places.map_err(|_| CdpError::Closed)
    }

    /// An idle page.
    pub fn take(&self) -> Option<Lent<Page>> {
        self.idle().pop()
    }

    /// Opens a page by `open`, in a fresh browser if the current one ended or has served long enough.
    ///
    /// # Errors
    ///
    /// [`OpenError`], never the fault of what the page is for.
    pub async fn open<Opening>(
        &self,
        open: impl FnOnce(Arc<Browser>) -> Opening,
    ) -> Result<Lent<Page>, OpenError>
    where
        Opening: Future<Output = Result<Page, CdpError>>,
    {
        let (browser, generation) = self.browser_and_number().await?;
        let opened = tokio::time::timeout(self.limits.open_timeout, open(browser.clone())).await;
        if let Ok(Err(CdpError::Closed)) = opened {
            // From here on everyone sees that it is closed.
            browser.connection().closed().await;
        }
        let page = opened.map_err(|_| OpenError::TooSlow(self.limits.open_timeout))??;
        Ok(Lent {
            page,
            generation,
            uses: 0,
        })
    }

    /// Counts a use of the page and of its browser.
    pub fn count_use(&self, lent: &mut Lent<Page>) {
        lent.uses += 1;
        self.uses.fetch_add(1, Ordering::Relaxed);
    }

    /// Keeps a page for the next use, unless it or its browser has served long enough.
    pub fn give_back(&self, lent: Lent<Page>) {
        let is_current = lent.generation == self.starts();
        if is_current && lent.uses < self.limits.uses_a_page && !self.is_old() {
            self.idle().push(lent);
        }
    }

    /// Closes all idle pages.
    pub fn forget_idle(&self) {
        self.idle().clear();
    }

    /// Lets go of the browser. Pages still at work hold it; it ends with the last of them.
    pub async fn discard_browser(&self) {
        let mut current = self.browser.lock().await;
        self.forget_idle();
        *current = None;
    }

    /// The running browser; a new one if it ended or has served long enough.
    ///
    /// # Errors
    ///
    /// [`LaunchError`] if a new one does not start.
    pub async fn browser(&self) -> Result<Arc<Browser>, LaunchError> {
        Ok(self.browser_and_number().await?.0)
    }

    /// How often the browser was started.
    pub fn starts(&self) -> u64 {
        self.starts.load(Ordering::Relaxed)
    }

    /// The running browser's process group.
    pub async fn process_group(&self) -> Option<i32> {
        let browser = self.browser.lock().await;
        browser.as_ref().map(|browser| browser.process_group())
    }

    /// Ends the browser; nobody enters any more.
    pub async fn close(&self) {
        self.places.close();
        self.forget_idle();
        if let Some(browser) = self.browser.lock().await.take() {
            browser.close().await;
        }
    }

    async fn browser_and_number(&self) -> Result<(Arc<Browser>, u64), LaunchError> {
        let mut current = self.browser.lock().await;
        if let Some(browser) = current
            .as_ref()
            .filter(|browser| !browser.is_closed() && !self.is_old())
        {
            return Ok((browser.clone(), self.starts()));
        }
        self.forget_idle();
        *current = None;
        let browser = Arc::new(Browser::launch(&self.launch).await?);
        self.uses.store(0, Ordering::Relaxed);
        let generation = self.starts.fetch_add(1, Ordering::Relaxed) + 1;
        *current = Some(browser.clone());
        Ok((browser, generation))
    }

    fn is_old(&self) -> bool {
        self.uses.load(Ordering::Relaxed) >= self.limits.uses_a_browser.max(1)
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Lent<Page>>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
