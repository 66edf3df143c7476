//! What a visitor is told when a page cannot be shown or an action was refused.

use askama::Template;
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Redirect, Response};
use workflow::db::operator::OperatorError;

/// Why a request got no page.
#[derive(Debug, thiserror::Error)]
pub(super) enum DashboardError {
    /// Nothing is at this address.
    #[error("there is no {0} here")]
    NotFound(String),

    /// The request came from another site, or does not say where it came from.
    #[error(
        "actions are taken only from the dashboard's own pages; open the dashboard and try again from there"
    )]
    ForeignOrigin,

    /// Without a token only addresses that no other site can take on may act.
    #[error(
        "without a token, actions work only at an IP address or localhost; open the dashboard there or set a token"
    )]
    NameNeedsToken,

    /// Acting needs a name first.
    #[error("sign in first")]
    SignedOut {
        /// The page to come back to.
        back: String,
    },

    /// A field of a form has no sensible value.
    #[error("{0}")]
    BadField(&'static str),

    /// The action does not fit.
    #[error(transparent)]
    Refused(#[from] OperatorError),

    /// The object store or the prompt host did not answer.
    #[error("the picture cannot be had now; try again")]
    PictureUnavailable,

    /// The database did not answer.
    #[error("the database does not answer")]
    Database(#[from] sqlx::Error),

    /// The metrics could not be put together: a defect.
    #[error("the metrics cannot be shown")]
    Metrics,

    /// A page could not be put together: a defect.
    #[error("this page cannot be shown")]
    Template(#[from] askama::Error),
}

#[derive(Template)]
#[template(path = "error.html")]
struct ErrorPage {
    status: u16,
    message: String,
}

impl DashboardError {
    fn status(&self) -> StatusCode {
        match self {
            Self::NotFound(_)
            | Self::Refused(
                OperatorError::UnknownJob(_)
                | OperatorError::UnknownConflict(_)
                | OperatorError::NoTournament(_)
                | OperatorError::NotMeasured(_),
            ) => StatusCode::NOT_FOUND,
            Self::ForeignOrigin | Self::NameNeedsToken => StatusCode::FORBIDDEN,
            Self::SignedOut { .. } => StatusCode::SEE_OTHER,
            Self::BadField(_) | Self::Refused(OperatorError::NoReason) => {
                StatusCode::UNPROCESSABLE_ENTITY
            }
            Self::PictureUnavailable => StatusCode::BAD_GATEWAY,
            Self::Refused(OperatorError::Database(_)) | Self::Database(_) => {
                StatusCode::SERVICE_UNAVAILABLE
            }
            Self::Refused(_) => StatusCode::CONFLICT,
            Self::Template(_) | Self::Metrics => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}

impl IntoResponse for DashboardError {
    fn into_response(self) -> Response {
        if let Self::SignedOut { back } = &self {
            return Redirect::to(&super::pages::sign_in_address(back)).into_response();
        }
        let status = self.status();
        if status.is_server_error() {
            tracing::error!(
                error = &self as &dyn std::error::Error,
                "a dashboard page failed"
            );
        }
        let message = self.to_string();
        let page = ErrorPage {
            status: status.as_u16(),
            message: message.clone(),
        };
        // A page that cannot say so in its own design says so plainly.
        let body = page.render().unwrap_or(message);
        (status, Html(body)).into_response()
    }
}
