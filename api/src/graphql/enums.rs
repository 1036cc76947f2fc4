//! Closed lists of the domain as GraphQL enums.

/// Declares an enum with the variants of a domain enum, both ways. Domain variants that no client
/// can ever see fall to the last clause.
macro_rules! mirror {
    ($($(#[$meta:meta])* $name:ident = $domain:path {
        $($(#[$vmeta:meta])* $variant:ident),+ $(,)?
    } $(| $hidden:ident as $shown:ident)?)+) => {$(
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, async_graphql::Enum)]
        pub enum $name {
            $($(#[$vmeta])* $variant),+
        }

        impl From<$name> for $domain {
            fn from(value: $name) -> Self {
                match value {
                    $($name::$variant => Self::$variant),+
                }
            }
        }

        impl From<$domain> for $name {
            fn from(value: $domain) -> Self {
                match value {
                    $(<$domain>::$variant => Self::$variant,)+
                    $(<$domain>::$hidden => Self::$shown,)?
                }
            }
        }

        impl $crate::graphql::plain::PlainValue for $name {
            fn plain_value(
                &self,
                _: &async_graphql::parser::types::Field,
                _: &async_graphql::ContextSelectionSet<'_>,
            ) -> Option<async_graphql::Value> {
                Some(async_graphql::resolver_utils::enum_value(*self))
            }
        }
    )+};
}

mirror! {
    /// Where a clue is in its life.
    Lifecycle = domain::clue::Lifecycle {
        /// Came in; neither pooled nor owned.
        Captured,
        /// Open to claim.
        Pooled,
        /// Somebody works it.
        Owned,
        /// Its owner holds it for lost; somebody must decide.
        LossReview,
        /// The deal is done.
        Won,
        /// The deal is lost.
        Lost,
        /// No real clue.
        Invalid,
    } | Absent as Captured

    /// What standing in a stage means.
    StageCategory = domain::business_line::StageCategory {
        /// Nobody worked it yet.
        Open,
        /// Being worked.
        Ongoing,
        /// Waiting for the customer.
        Hold,
        /// The deal is done.
        Won,
        /// The deal is lost.
        Lost,
    }

    /// Which way the customer wants to deal.
    Intent = domain::clue::Intent {
        /// Wants to buy a car.
        Buy,
        /// Wants to sell a car.
        Sell,
        /// Wants to give one car for another.
        Exchange,
        /// Wants something else of the business line.
        Other,
    }

    /// How a customer was contacted.
    FollowUpChannel = domain::clue::FollowUpChannel {
        /// By telephone.
        Call,
        /// By a message.
        Message,
        /// By e-mail.
        Email,
        /// In person.
        Visit,
    }

    /// What came of the contact.
    FollowUpOutcome = domain::clue::FollowUpOutcome {
        /// Both sides talked.
        Connected,
        /// The customer answered a message.
        Replied,
        /// Sent, no answer yet.
        Sent,
        /// Nobody answered.
        NoAnswer,
        /// The customer did not want to talk.
        Declined,
        /// The number belongs to somebody else or to nobody.
        WrongNumber,
    }

    /// What kind of contact point it is.
    ContactKind = domain::values::ContactKind {
        /// A phone number, E.164.
        Phone,
        /// An e-mail address.
        Email,
        /// A WeChat account name.
        Wechat,
    }

    /// What stars rest on.
    StarBasis = domain::customer::StarBasis {
        /// A person's judgement.
        Person,
        /// The score of the business line.
        Score,
    }

    /// What an operator is there for.
    Role = domain::operator::Role {
        /// Works own clues and claims from the pool.
        Agent,
        /// Assigns and transfers within the team, decides losses.
        TeamLead,
        /// Runs whole business lines.
        Manager,
        /// Serves customers.
        ServiceRep,
        /// Runs the call centre.
        CallSupervisor,
        /// Reads pseudonymised events and aggregates.
        Bi,
        /// Reads everything, changes nothing.
        Auditor,
        /// Configures lines and people; sees no personal data.
        Admin,
    }

    /// What values a custom field takes.
    FieldKind = domain::business_line::FieldKind {
        /// Free text; may name a person.
        Text,
        /// One option of a list.
        Choice,
        /// A decimal number.
        Number,
        /// Yes or no.
        Flag,
        /// A calendar day.
        Date,
        /// A point in time.
        Instant,
        /// An amount in a currency.
        Money,
    }

    /// How much of a person the caller sees.
    Visibility = projections::Sight {
        /// Nothing: the person was erased, or the caller's roles show no personal data.
        Redacted,
        /// Enough to recognise, not enough to use.
        Masked,
        /// Everything.
        Clear,
    }

    /// Something a customer did that makes a deal likelier.
    Signal = domain::business_line::Signal {
        /// A clue of the customer was captured.
        ClueCaptured,
        /// A follow-up reached the customer.
        ContactMade,
        /// The customer stated a need.
        NeedStated,
        /// The customer booked a viewing.
        ViewingBooked,
        /// The customer came to a viewing.
        ViewingCompleted,
        /// The customer did not come to a viewing.
        ViewingMissed,
        /// A deal was done.
        DealWon,
        /// A clue was lost.
        DealLost,
    }
}
