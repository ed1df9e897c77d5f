Story: A source falls silent: that is told, and nothing is taken away
Configuration: silence

On 2027-03-01 08:00
  hr pushes alice: department Sales
Then
  hr is heard
On 2027-03-02 09:00
Then
  hr is silent
  alice is active
  at chat alice has an account
On 2027-03-03 09:00
  hr changes alice: title Clerk
Then
  hr is heard
