//! Three queries that the demo prints, to be pasted into the console.

use domain::operator::Role;

/// What it shows, with whose token, and the query.
pub const QUERIES: [(&str, Role, &str); 3] = [
    (
        "My clues, the next contact first",
        Role::Agent,
        "{ clues(first: 5, sort: NEXT_FOLLOW_UP) { edges { node { id stage lifecycle stars nextFollowUpAt \
         customerName { text } } } pageInfo { hasNextPage endCursor } } }",
    ),
    (
        "The pool, most stars first",
        Role::TeamLead,
        "{ poolCount poolClues(first: 5) { edges { node { id stage stars pooledAt sourceChannel } } } }",
    ),
    (
        "Likely buyers and why",
        Role::Manager,
        "{ starCustomers(line: \"used-car-sales\", first: 5) { edges { node { customer { name { text } } stars \
         pointsTenths reasons { signal points at } } } } }",
    ),
];

#[cfg(test)]
mod tests {
    use super::QUERIES;
    use crate::config::Config;
    use crate::graphql::schema;

    #[tokio::test]
    async fn every_printed_query_fits_the_schema() {
        let schema = schema(&Config::default().limits).finish();
        for (title, _, query) in QUERIES {
            let answer = schema.execute(query).await;
            // Without a session resolvers fail, at a path; a query that does not fit fails before.
            assert!(answer.errors.iter().all(|error| !error.path.is_empty()), "{title}: {:?}", answer.errors);
        }
    }
}
