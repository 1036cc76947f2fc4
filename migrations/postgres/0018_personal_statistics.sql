-- No statistics of what may name a person or open personal data: the planner keeps samples of values,
-- and would keep those of erased people. ALTER TYPE to the type that a column has changes no row and
-- drops the samples that were taken before.
ALTER TABLE vault.data_keys
    ALTER COLUMN wrapped TYPE bytea, ALTER COLUMN wrapped SET STATISTICS 0;
ALTER TABLE operators
    ALTER COLUMN name TYPE text COLLATE "C", ALTER COLUMN name SET STATISTICS 0;
ALTER TABLE customers
    ALTER COLUMN name TYPE text COLLATE "C", ALTER COLUMN name SET STATISTICS 0;
ALTER TABLE customer_contact
    ALTER COLUMN value TYPE text COLLATE "C", ALTER COLUMN value SET STATISTICS 0;
ALTER TABLE customer_timeline
    ALTER COLUMN note TYPE text COLLATE "C", ALTER COLUMN note SET STATISTICS 0;
ALTER TABLE clue_list
    ALTER COLUMN customer_name TYPE text COLLATE "C", ALTER COLUMN customer_name SET STATISTICS 0;
ALTER TABLE clue_list_customer
    ALTER COLUMN name TYPE text COLLATE "C", ALTER COLUMN name SET STATISTICS 0,
    ALTER COLUMN name_folded TYPE text COLLATE "C", ALTER COLUMN name_folded SET STATISTICS 0;
ALTER TABLE clue_list_field
    ALTER COLUMN free_text TYPE text COLLATE "C", ALTER COLUMN free_text SET STATISTICS 0;
