-- Campaigns, items, decisions
SELECT 1;
