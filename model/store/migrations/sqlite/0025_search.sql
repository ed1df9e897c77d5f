-- People and evidence
SELECT 1;
