//! Optional chains: which nodes the reference's tree calls optional.

use oxc_ast::ast::{CallExpression, ChainElement, ChainExpression, Expression, MemberExpression};
use oxc_span::{GetSpan as _, Span};

/// An optional chain: every link from the innermost `?.` outwards is what the reference calls an optional node.
#[derive(Clone, Copy)]
pub struct Chain {
    start: u32,
    innermost_end: u32,
}

impl Chain {
    /// Looks down the chain once.
    pub fn new(chain: &ChainExpression<'_>) -> Self {
        let mut innermost_end = chain.span.end;
        let mut link = match &chain.expression {
            ChainElement::CallExpression(call) => Link::call(call),
            element => element.as_member_expression().and_then(Link::member),
        };
        while let Some(current) = link {
            if current.optional {
                innermost_end = current.span.end;
            }
            link = match current.below {
                Expression::CallExpression(call) => Link::call(call),
                below => below.as_member_expression().and_then(Link::member),
            };
        }
        Self {
            start: chain.span.start,
            innermost_end,
        }
    }
}

impl Chain {
    /// Whether the node of this span is a link of the chain, from its innermost `?.` outwards.
    pub fn holds(self, span: Span) -> bool {
        span.start == self.start && span.end >= self.innermost_end
    }
}

/// One link of a chain.
struct Link<'x, 'a> {
    optional: bool,
    span: Span,
    below: &'x Expression<'a>,
}

impl<'x, 'a> Link<'x, 'a> {
    #[allow(
        clippy::unnecessary_wraps,
        reason = "so that both kinds of link end the same way"
    )]
    fn call(call: &'x CallExpression<'a>) -> Option<Self> {
        Some(Self {
            optional: call.optional,
            span: call.span,
            below: &call.callee,
        })
    }

    #[allow(
        clippy::unnecessary_wraps,
        reason = "so that both kinds of link end the same way"
    )]
    fn member(member: &'x MemberExpression<'a>) -> Option<Self> {
        Some(Self {
            optional: member.optional(),
            span: member.span(),
            below: member.object(),
        })
    }
}
