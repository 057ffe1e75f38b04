"""InfoGAN and ACGAN: two games in which D also says what a picture is of."""
