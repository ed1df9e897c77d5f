Story: Another version of the rules, and back
Configuration: company

On 2027-03-01 08:00
  hr pushes alice: department Sales
  hr pushes bob: department Engineering
On 2027-03-02 08:00
  the operator applies the configuration company-two
Then
  alice holds employee
  at crm alice has no account
  at crm bob has an account in sellers
On 2027-03-03 08:00
  the operator rolls the configuration back
Then
  alice holds employee, sales
  at crm alice has an account in sellers
  at crm bob has no account
