package dev.rankrt.examples;

/**
 * A customer and a product after the cut-off: an example that the model never saw. Immutable.
 *
 * @param customer the customer's index
 * @param product the product's index
 * @param month the month, January being 0
 * @param weekday the day of the week, Monday being 0
 * @param bought whether the customer ordered the product
 * @param reference PyTorch's score
 * @param popularity how often the product was sold before the cut-off
 */
record HeldOut(
    int customer,
    int product,
    int month,
    int weekday,
    boolean bought,
    double reference,
    int popularity) {}
